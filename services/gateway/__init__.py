"""The gateway: HTTP and WebSocket in, messages to the imaging workers out.

Imports the contracts and `services.runtime`; never `services.imaging`. Each layer imports only
lower ones: app > routes > jobs > dependencies > sources, live, webhooks > outbound, http, rpc >
middleware > settings, shutdown, result_links (`pyproject.toml` checks this).
Start with `app.py`, which makes every object once, and then a module of `routes/`.
"""
