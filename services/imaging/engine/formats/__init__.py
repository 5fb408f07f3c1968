"""Code for single formats, beyond Pillow: headers, frames, loop counts, transparency.

Most modules work around a fault of Pillow. Their docstrings name the version, and
`tests/imaging/engine/formats/test_pillow_workarounds.py` fails once a workaround can go. Imports
`raster` and the contracts. `plugins.py` tells which formats are installed; their table is
`contracts/formats.py`.
"""
