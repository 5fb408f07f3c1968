"""Generates the reference pages, the README's tables and `asyncapi.yaml` from the code.

`python -m docs.generate` writes them, and with `--check` names those that are stale. Each module
has one part; `pages.py` lists all of them. `pictures/` draws the pictures.
This package may import everything; nothing but the tests imports it.
"""
