"""Benchmark of jobs: jobs a second, latency and CPU time of a durable render of a millisecond.

For each contender: a Valkey with an append-only file, two render processes, a gateway if the system
is used over HTTP, and one client process. Start with `__main__.py`; `workload.py` is the render,
`load.py` the three loads, `systems/` has a client module for each system.
"""
