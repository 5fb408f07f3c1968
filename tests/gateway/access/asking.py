"""Requests to an application in this process: over HTTP, for event streams and for WebSockets."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message

from contracts.access.keys import KeyScope
from services.gateway.access.rules import WEBSOCKET
from services.gateway.server.websocket import TEXTS
from services.runtime.tasks import end
from tests.gateway.access.gateways import ADMIN_KEY

OPENED = 101
"""The status of a WebSocket that was accepted."""


@dataclass
class Answer:
    """The answer that an application has sent."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, message: Message) -> None:
        """Take a message. An event stream counts as ended with its first event."""
        match message["type"]:
            case "websocket.accept":
                self.status = OPENED
            case "websocket.send":
                self.body = message[TEXTS][0]
                self.ended.set()
            case "http.response.start" | "websocket.http.response.start":
                self.status = message["status"]
                fields = message["headers"]
                self.headers = {name.decode(): value.decode() for name, value in fields}
            case "http.response.body" if "event-stream" in self.headers.get("content-type", ""):
                self.body += message["body"]
                self.ended.set()
            case _:
                self.body += message.get("body", b"")


async def ask(
    app: ASGIApp, method: str, path: str, key: str = "", *, body: bytes = b"", kind: str = ""
) -> Answer:
    """Send a request with a key, and a body of a media type; or a message over a WebSocket."""
    fields = {"host": "127.0.0.1", **({"authorization": f"Bearer {key}"} if key else {})}
    if body and kind:
        fields |= {"content-type": kind, "content-length": str(len(body))}
    path, _, query = path.partition("?")
    live = method == WEBSOCKET
    scope: dict[str, Any] = {
        "type": "websocket" if live else "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in fields.items()],
        "scheme": "ws" if live else "http",
        "server": ("127.0.0.1", 80),
        "http_version": "1.1",
        "extensions": {"websocket.http.response": {}},
    }
    coming: list[dict[str, Any]] = [{"type": "http.request", "body": body}]
    if live:
        said = [{"type": "websocket.receive", "text": body.decode()}] if body else []
        gone = [] if body else [{"type": "websocket.disconnect", "code": 1000}]
        coming = [{"type": "websocket.connect"}, *said, *gone]

    async def receive() -> Message:
        if not coming:
            await asyncio.Event().wait()  # the client stays
        return coming.pop(0)

    answer = Answer()
    running = asyncio.ensure_future(app(scope, receive, answer.take))
    ended = asyncio.ensure_future(answer.ended.wait())
    try:
        async with asyncio.timeout(10):
            await asyncio.wait((running, ended), return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
    finally:
        await end(running)
        await end(ended)
    return answer


async def make_key(app: ASGIApp, *scopes: KeyScope, project: str) -> str:
    """Make a key by the operator's, and return its text."""
    new = json.dumps({"name": "matrix", "project": project, "scopes": scopes}).encode()
    made = await ask(app, "POST", "/v1/keys", ADMIN_KEY, body=new, kind="application/json")
    assert made.status == 201, made.body
    return str(json.loads(made.body)["key"])
