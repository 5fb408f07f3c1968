"""ASGI middleware around every request: correlation id, tracing, HEAD, unread bodies.

Imports Starlette and the runtime's telemetry; nothing of the gateway. `app.py` gives the order:
correlation outermost, so that every log line and every answer has the id.
"""
