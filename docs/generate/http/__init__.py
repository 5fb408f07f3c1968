"""The reference of HTTP. Start with `pages.py`."""
