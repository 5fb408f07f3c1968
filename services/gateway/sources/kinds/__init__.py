"""The kinds of sources: web servers, buckets, folders.

`origin.py` has the interface; a further kind is one more module here and a line in `live.py`.
"""
