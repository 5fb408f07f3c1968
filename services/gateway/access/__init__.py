"""Callers and their permissions: keys, signed URLs, presets, limits.

Start with `middleware.py`, which finds the `Caller` of each request. Imports `http`, the settings
and `services.runtime`.
"""
