"""Limits: calls and megapixels a second of a caller, megapixels a day of a project.

Start with `middleware.py`, which counts calls, and `charges.py`, by which routes count megapixels.
`account.py` keeps what one caller has taken, and `policies.py` says what it may take.
"""
