"""Look after the store of bytes: sweep it, rebuild its records, copy it, and check its digests.

May import the rest of `runtime.storage`, but for the command. Start reading at `maintenance.py`.
"""
