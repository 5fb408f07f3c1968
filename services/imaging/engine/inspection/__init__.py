"""Describe an image: size, format, colours, hashes, and the EXIF that a client may ask for.

Imports Pillow, the contracts, `decoding`, `metadata`, `raster` and `safety`; applies no operation.
Start at `inspect.py`.
"""
