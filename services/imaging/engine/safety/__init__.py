"""Checks that refuse crafted files before Pillow spends time or memory on them.

The checks read bytes, never pixels, and raise ImageTooBig or ImageUnreadable. Imports the contracts
and `formats.plugins`. Start with `limits.py` and `container_checks.py`; `pillow.py` is the one
place that changes Pillow's global state, and `decode_errors.py` translates its exceptions.
"""
