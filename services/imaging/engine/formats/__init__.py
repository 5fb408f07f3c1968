"""Code for single formats, beyond Pillow: headers, frames, loop counts, transparency.

Most modules work around a fault of Pillow. Their docstrings name the version, and
`tests/imaging/engine/formats/test_pillow_workarounds.py` fails once a workaround can go. Imports
`raster`, `safety` and the contracts. `plugins.py` tells which formats are installed; their table is
`contracts/formats.py`. `pillow.py` is the one place that changes Pillow's global state.
"""
