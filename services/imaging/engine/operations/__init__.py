"""The operations of a pipeline on pixels: a module per family of `contracts.operations`.

`dispatch.py` hands an operation to the module of its family: `shapes`, `looks`, `finishes` or
`overlays`. Each function takes an image in L, LA, RGB or RGBA and returns one. The package imports
Pillow, the contracts, `raster` and `safety`. To add an operation: docs/contribute/operation.md.
"""
