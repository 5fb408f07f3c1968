"""The client: a Python library and the command `darkroom`. Both talk HTTP to a gateway.

It imports the contracts, HTTPX, Typer and Rich, and nothing of the services. Start with `client.py`
for the library, and with `command/cli.py` for the command.
"""
