"""Talk to Redis: one client object per process, over RESP 3.

`client.RedisClient` sends commands over one shared connection (`multiplexer`), opens dedicated
connections for blocking reads, and subscribes to channels (`subscription`). `blocking` is the same
for a process without an event loop. `keys` names every key; `scripts` loads the `.lua` files.

May import contracts, `services.runtime.settings` and `services.runtime.tasks`; nothing else of the
runtime. Start reading at `client.py`.
"""
