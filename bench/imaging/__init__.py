"""Benchmark of image servers: results a second over HTTP, with CPU time, memory and fidelity.

For each contender: the whole system on this machine, and 8 client connections with one request in
flight each. Start with `__main__.py`; `cases.py` has what is requested, `load.py` the client,
`fidelity.py` the check of the results, `systems/` a module for each system.
"""
