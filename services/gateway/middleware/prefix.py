"""The path prefix below which clients see the gateway, such as `/images` of a shared host name."""

from collections.abc import Iterable

from starlette.types import Message, Scope, Send

from services.gateway.middleware.fields import STARTS, Field

_PREFIX = "darkroom.prefix"


def prefix_of(scope: Scope) -> str:
    """Return the prefix of a request, without a slash at its end; empty without one."""
    prefix: str = scope.get(_PREFIX, "")
    return prefix


def with_prefix(prefix: str) -> Scope:
    """Return the scope of an answer to a request that nobody has parsed."""
    return {_PREFIX: prefix}


def take_prefix(scope: Scope, prefix: str) -> None:
    """Note the prefix of a request, and remove it from the path unless a proxy has done so.

    So routes, rules of access, signatures and caches know one path for each resource.
    """
    scope[_PREFIX] = prefix
    # uvicorn's `--root-path` puts this in front of a path.
    scope["root_path"] = ""
    if scope["path"].startswith(f"{prefix}/"):
        scope["path"] = scope["path"][len(prefix) :]
        scope["raw_path"] = scope["raw_path"].removeprefix(prefix.encode())


def sending_prefixed(prefix: str, send: Send) -> Send:
    """Return a `send` that adds the prefix to the addresses in the header fields of an answer."""

    async def send_prefixed(message: Message) -> None:
        if message["type"] in STARTS:
            message["headers"] = with_addresses(message["headers"], prefix)
        await send(message)

    return send_prefixed


def with_addresses(headers: Iterable[Field], prefix: str) -> list[Field]:
    """Return the header fields of an answer, with the prefix added to the addresses in them."""
    start = prefix.encode()
    return [(name, _prefixed(name, value, start)) for name, value in headers]


def _prefixed(name: bytes, value: bytes, prefix: bytes) -> bytes:
    if name == b"location" and value.startswith(b"/"):
        return prefix + value
    if name == b"link":
        return value.replace(b"</", b"<%b/" % prefix)
    return value
