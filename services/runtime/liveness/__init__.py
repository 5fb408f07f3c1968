"""Know which workers are alive, and what time it is for all of them.

`heartbeat` reports this process and lists the living ones; `server_clock` estimates Redis's clock.
May import contracts, `runtime.redis`, `runtime.settings` and `runtime.tasks`. Start reading at
`heartbeat.py`.
"""
