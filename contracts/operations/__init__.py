"""Image operations: one pydantic model each, with the limits of every field.

`pipeline.py` is the place to start: it joins the four families (`shapes`, `looks`, `finishes`,
`overlays`) into `Operation` and `Pipeline`. `notation.py` reads operations from a URL's query.
Imports the standard library, pydantic and the other contracts.
"""
