"""Who may ask what: keys with their scopes and limits, presets, and signatures of URLs."""
