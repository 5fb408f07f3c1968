"""Permissions of clients: keys with their scopes and limits, presets, signatures of URLs."""
