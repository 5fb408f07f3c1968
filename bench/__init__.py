"""Benchmarks: Darkroom measured next to other systems, on one machine, in one run.

Each subpackage is a command: `python -m bench.rpc`, `bench.jobs`, `bench.imaging`, `bench.gateway`,
`bench.delivery`, `bench.storage`, `bench.chaos`, `bench.exact` and `bench.fuzz`; `--help` lists its
options. Results go to `bench/results/`. This package may import the services, the contracts and
helpers of the tests; only tests that run a short form of a command import this package. Start with
`rpc/__main__.py`: the other commands are built the same way.
"""
