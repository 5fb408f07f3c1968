"""Image operations: one pydantic model each, with the limits of every field.

Imports the standard library, pydantic and the other contracts. Start with `pipeline.py`: it joins
the four families (`shapes`, `looks`, `finishes`, `overlays`) into `Operation` and `Pipeline`.
`notation.py` reads operations from a URL's query. To add one: docs/contribute/operation.md.
"""
