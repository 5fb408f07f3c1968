"""Request bodies with images: read in time, counted, stored. Start with `upload.py`."""
