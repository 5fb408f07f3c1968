"""Image operations: one pydantic model each, with the limits of every field.

Imports the standard library, pydantic and the other contracts. Start with `pipeline.py`: it joins
the four families (`shapes`, `looks`, `finishes`, `overlays`) into `Operation` and `Pipeline`.
`notation.py` reads operations from a URL's query. To add an operation, write a model in its family
and add it to the union at the end of the file. mypy then names the `match` of the engine that lacks
a case, and `make asyncapi gallery golden` writes the documents and the golden file.
"""
