"""The client: a Python library and the command `darkroom`. Both talk HTTP to a gateway.

It imports the contracts, HTTPX, Typer and Rich, and nothing of the services. Start with `client.py`
for the library, and with `cli.py` for the command; `rendering.py` renders many files and continues
after an interruption, with `manifest.py` to record what is complete.
"""
