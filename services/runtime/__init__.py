"""The parts that every process needs: Redis, messages, calls, jobs, storage and telemetry.

Knows no HTTP framework and no pixels. Imports go down these layers, which import-linter checks:
`introspection`; `rpc` and `jobs`, which never import each other; `faststream_adapter`; `messaging`;
`liveness` and `storage`; `redis`; `telemetry`. May import contracts.
Start reading at `rpc.broker` for a call, and at `jobs.store` for a job.
"""
