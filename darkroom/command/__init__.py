"""The command `darkroom`. Start with `cli.py`.

`rendering.py` renders many files and continues after an interruption, with `manifest.py` to record
what is complete; `keys.py` and `signing.py` have the commands for keys and for signed URLs.
"""
