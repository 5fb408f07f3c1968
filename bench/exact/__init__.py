"""Independent judges: what other programs, libraries and mathematics say of Darkroom's answers."""
