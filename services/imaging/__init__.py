"""The imaging service: answers methods over Redis and renders the variants of jobs.

`app` puts the service together; `handlers` answer methods; `jobs` works through durable jobs;
`pool` runs pixel work in processes; `engine` is pure: bytes in, bytes out. Each may import those
after it, the runtime and the contracts, never the gateway; only `pool` calls the engine.
Start reading at `app.create_app`.
"""
