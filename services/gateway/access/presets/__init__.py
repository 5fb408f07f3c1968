"""Presets: named pipelines of a TOML file, used as `?preset=card&w=640`.

Start with `middleware.py`, which replaces a preset in a query by what it stands for, so that routes
know nothing of presets; `table.py` reads the file.
"""
