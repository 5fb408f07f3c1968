"""Talk to Redis: one client object per process, over RESP 3.

`client.RedisClient` sends commands over one shared connection (`multiplexer`), opens dedicated
connections for blocking reads, and subscribes to channels (`subscription`).
for a process without an event loop. `keys` names every key; `scripts` loads the `.lua` files.
`watch` looks after Redis: memory, persistence, eviction.

May import contracts, telemetry, and `settings`, `tasks` and `capacity` of the runtime; nothing else
of it. Start reading at `client.py`.
"""
