"""Checks that refuse crafted files before Pillow spends time or memory on them.

The checks read bytes, never pixels, and raise ImageTooBig or ImageUnreadable. `decode_errors.py`
translates Pillow's exceptions. Imports the contracts. Start with `limits.py` and
`container_checks.py`.
"""
