"""Pixels to bytes: choose a format, search a quality, and encode.

Imports `formats`, `metadata`, `raster` and `safety`; of `decoding` only `Source`. Start with
`result.py` (`write`): `format_choice.py` names the formats to try, `quality_search.py` finds the
quality, and `encode.py` writes one file.
"""
