"""Who asks, and what they may do: keys, signed URLs, presets, limits.

Start with `middleware.py`, which finds the `Caller` of each request. Imports `http`, the settings
and `services.runtime`.
"""
