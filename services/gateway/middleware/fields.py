"""Header fields of ASGI messages, and the messages that have them."""

Field = tuple[bytes, bytes]
"""Name in lower case, and value."""

STARTS = ("http.response.start", "websocket.http.response.start")
"""Types of the messages with the header of an answer; the second is a refused WebSocket's."""
