"""Chaos scenarios: kill workers, Redis or the gateway, and check that every accepted job is done.

Each scenario is a coroutine that starts the services in processes of their own, checks its claims
with assertions, and returns an `outcome.Outcome`. `python -m bench.chaos` runs them in full,
`tests/e2e/test_chaos.py` in short. Start with `scenarios/worker_kills.py`. Imports the services and
`tests.processes`.
"""
