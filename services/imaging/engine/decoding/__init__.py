"""Bytes to pixels: open a source by its header, check it, and decode it upright.

Imports `formats`, `raster` and `safety`. Start with `source.py` (`open_source`), then `decode.py`.
Why was this upload refused? `open_source` calls every check in order.
"""
