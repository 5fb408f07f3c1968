"""Benchmark of stores: Redis, a disk and two S3 servers under the same gateway and workers.

For each store: a Valkey, a gateway and an imaging service with two pool processes, all of them
running at once and measured in turns. Start with `__main__.py`; `measures.py` has what is
requested, `load.py` the client, `deployment.py` the processes, `fill.py` and `readers.py` the tests
of memory, `goals.py` what is to be reached.
"""
