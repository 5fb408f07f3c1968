"""Benchmark of request and reply: calls a second, latency and CPU time of an echo of 100 bytes.

For each contender: one server, one worker process and one caller process with 1 to 2,000 concurrent
callers. Start with `__main__.py`; `peer.py` runs in both processes, `load.py` in the caller's, and
`systems/` has a module for each system. Only `systems/darkroom.py` imports the runtime.
"""
