"""Benchmarks: Darkroom measured next to other systems, on one machine, in one run.

Each subpackage is a command: `python -m bench.rpc`, `bench.jobs`, `bench.imaging`, `bench.gateway`,
`bench.storage` and `bench.chaos`; `--help` lists its options. Results go to `bench/results/`. This
package may import the services, the contracts and `tests.processes`; nothing imports this package
except tests of the short forms. Start with `rpc/__main__.py`: the other commands are built the same
way.
"""
