"""Fuzzing: damage real files of every format, and see that the engine ends with a named error.

`make fuzz` runs it for minutes, `tests/imaging/engine/safety/test_fuzz.py` in short. Start with
`__main__.py`; `corpus.py` has the files, `damage.py` damages them, `attempts.py` gives them to the
engine. Imports the engine and the pictures of its tests.
"""
