"""The reference of messages. Start with `pages.py`."""
