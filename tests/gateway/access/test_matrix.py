"""Each route with each scope, and with none: every cell of the table."""

import asyncio
import json
from typing import Any

from starlette.types import ASGIApp, Message

from contracts.access import KeyScope
from services.gateway.access.rules import RULES, WEBSOCKET
from tests.gateway.access.gateways import ADMIN_KEY, application, settings_of
from tests.gateway.access.test_rules import CELLS, scope_of


async def asked(
    app: ASGIApp, path: str, method: str, key: str, body: bytes = b""
) -> tuple[int, dict[str, str], bytes]:
    """Send a request, and return the status, the header and the body; 101 for a WebSocket."""
    scope = scope_of(path, method)
    fields = {"host": "127.0.0.1", **({"authorization": f"Bearer {key}"} if key else {})}
    if body:
        fields |= {"content-type": "application/json", "content-length": str(len(body))}
    scope["headers"] = [(name.encode(), value.encode()) for name, value in fields.items()]
    scope |= {"raw_path": scope["path"].encode(), "scheme": "http", "server": ("127.0.0.1", 80)}
    scope |= {"extensions": {"websocket.http.response": {}}, "http_version": "1.1"}
    coming: list[dict[str, Any]] = [{"type": "http.request", "body": body}]
    if method == WEBSOCKET:
        scope["scheme"] = "ws"
        coming = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1000}]
    sent: list[Message] = []

    async def receive() -> Message:
        if not coming:
            await asyncio.Event().wait()  # the client stays
        return coming.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    if sent[0]["type"] == "websocket.accept":
        return 101, {}, b""
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    body = b"".join(message.get("body", b"") for message in sent)
    return sent[0]["status"], headers, body


async def make_key(app: ASGIApp, *scopes: KeyScope, project: str) -> str:
    """Make a key by the operator's, and return its text."""
    new = {"name": "matrix", "project": project, "scopes": scopes}
    status, _, body = await asked(app, "/v1/keys", "POST", ADMIN_KEY, json.dumps(new).encode())
    assert status == 201, body
    return str(json.loads(body)["key"])


async def test_each_scope_opens_the_routes_that_need_it_and_no_other(redis_url: str) -> None:
    wrong = []
    async with application(settings_of(redis_url, public_pages="")) as app:
        keys = {scope: await make_key(app, scope, project="website") for scope in KeyScope}
        for path, method in CELLS:
            rule = RULES[path][method]
            for scope, key in [(None, ""), *keys.items()]:
                status, headers, _ = await asked(app, path, method, key)
                challenge = headers.get("www-authenticate", "")
                if rule.open or (key and rule.scope in (None, scope)):
                    right = status not in (401, 403)
                elif not key:
                    right = status == 401 and challenge == 'Bearer realm="darkroom"'
                else:
                    right = status == 403 and f'scope="{rule.scope}"' in challenge
                if not right:
                    wrong.append((method, path, scope, status, challenge))
    assert wrong == []


async def test_while_access_is_open_the_routes_of_keys_alone_need_one(redis_url: str) -> None:
    wrong = []
    async with application(settings_of(redis_url, access="open")) as app:
        for path, method in CELLS:
            status, _, _ = await asked(app, path, method, "")
            if (status == 401) != RULES[path][method].always or status == 403:
                wrong.append((method, path, status))
    assert wrong == []
