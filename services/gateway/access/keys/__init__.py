"""API keys: their form, their records in Redis, and the copy of all of them in each process.

`keys.py` makes, rotates and revokes keys (start there); `keyring.py` tells from memory whose key a
request has; `token.py` is the text that a client sends, `records.py` what is stored of it, and
`sessions.py` the cookie that a browser gets in exchange.
"""
