"""Consumer of durable jobs: renders the variants of each job and records the results.

`runner` works through the jobs stream; `batching` shares one call to a pool process among several
short renders. May import the pool, the runtime
and the contracts. Start reading at `JobRunner.run`.
"""
