"""Forwarded fields count from the addresses of the setting, and from no other."""

from collections.abc import Sequence
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from services.gateway.middleware.hosts import CALLED_HOST
from services.gateway.middleware.prefix import prefix_of
from services.gateway.middleware.proxies import ProxyMiddleware, TrustedProxies
from services.gateway.settings import GatewaySettings

LOOPBACK, OTHER = "127.0.0.1", "203.0.113.9"
Field = tuple[str, str]


def named(text: str) -> TrustedProxies:
    return TrustedProxies(GatewaySettings.model_validate({"proxies": text}).proxies)


async def seen(
    *fields: Field,
    peer: str | None = LOOPBACK,
    proxies: str = "127.0.0.1",
    root_path: str = "",
    path: str = "/v1/jobs",
    kind: str = "http",
    sent: Sequence[tuple[bytes, bytes]] = (),
) -> dict[str, Any]:
    """Return the scope that the application sees, with the header fields that a client gets."""
    answered: list[Message] = []
    found: dict[str, Any] = {}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        found.update(scope)
        await send({"type": "http.response.start", "status": 200, "headers": [*sent]})

    async def receive() -> Message:
        raise AssertionError("nothing is read")

    async def send(message: Message) -> None:
        answered.append(message)

    scope = {
        "type": kind,
        "scheme": "ws" if kind == "websocket" else "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "client": peer and (peer, 4711),
        "headers": [
            (b"host", b"darkroom"),
            *((f"x-forwarded-{name}".encode(), value.encode()) for name, value in fields),
        ],
    }
    await ProxyMiddleware(app, named(proxies), root_path)(scope, receive, send)
    return {**found, "answered": dict(answered[0]["headers"])}


def client_of(scope: dict[str, Any]) -> str | None:
    client: tuple[str, int] | None = scope["client"]
    return client and client[0]


@pytest.mark.parametrize(
    ("peer", "proxies"),
    [
        (LOOPBACK, "127.0.0.1,::1,unix"),
        ("::1", "127.0.0.1,::1,unix"),
        (None, "127.0.0.1,::1,unix"),
        ("::ffff:10.1.2.3", "10.0.0.0/8"),
        ("2001:db8:0:0::5", "2001:db8::/64"),
        ("198.51.100.3", "*"),
        (None, "*"),
    ],
)
async def test_a_listed_proxy_names_the_client(peer: str | None, proxies: str) -> None:
    scope = await seen(("for", OTHER), ("proto", "https"), peer=peer, proxies=proxies)

    assert (client_of(scope), scope["scheme"]) == (OTHER, "https")


@pytest.mark.parametrize(
    ("peer", "proxies"),
    [(OTHER, "127.0.0.1"), (None, "127.0.0.1"), (LOOPBACK, ""), ("2001:db8:1::5", "2001:db8::/64")],
)
async def test_everybody_else_is_not_believed(peer: str | None, proxies: str) -> None:
    fields = [("for", "192.0.2.1"), ("proto", "https"), ("host", "evil"), ("prefix", "/evil")]
    scope = await seen(*fields, peer=peer, proxies=proxies)

    assert (client_of(scope), scope["scheme"]) == (peer, "http")
    assert (scope["headers"][0], prefix_of(scope)) == ((b"host", b"darkroom"), "")
    assert CALLED_HOST not in scope


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        (["192.0.2.1, 203.0.113.9"], OTHER),  # the first one is the client's own claim
        (["203.0.113.9, 10.0.0.7"], OTHER),
        (["192.0.2.1, 203.0.113.9", "10.0.0.7, 10.0.0.8"], OTHER),
        (["203.0.113.9:4711"], OTHER),
        (["[2001:db8::9]:4711"], "2001:db8::9"),
        (['"[2001:db8::9]"'], "2001:db8::9"),
        (["2001:db8::9"], "2001:db8::9"),
        (["10.0.0.6"], "10.0.0.6"),  # a client in a network of proxies
        (["192.0.2.1, unknown"], LOOPBACK),
        (["192.0.2.1, nonsense, 10.0.0.7"], "10.0.0.7"),
        ([""], LOOPBACK),
    ],
)
async def test_a_chain_is_read_from_the_right(chain: list[str], client: str) -> None:
    scope = await seen(*(("for", line) for line in chain), proxies="127.0.0.1,10.0.0.0/24")

    assert client_of(scope) == client


async def test_of_a_chain_the_outermost_trusted_proxy_has_the_word() -> None:
    scope = await seen(
        ("for", f"192.0.2.1, {OTHER}, 10.0.0.7"),
        ("proto", "gopher, https, http"),
        ("host", "evil.example, images.example.com, inner"),
        ("prefix", "/evil, /media, /images/"),
        proxies="127.0.0.1,10.0.0.7",
    )

    assert scope["scheme"] == "https"
    assert (b"host", b"images.example.com") in scope["headers"]
    assert scope[CALLED_HOST] == b"darkroom"
    assert prefix_of(scope) == "/media/images"


async def test_a_proxy_speaks_for_those_before_it() -> None:
    scope = await seen(
        ("for", f"{OTHER}, 10.0.0.7"), ("proto", "https"), proxies="127.0.0.1,10.0.0.7"
    )

    assert scope["scheme"] == "https"


@pytest.mark.parametrize(("said", "scheme"), [("https", "wss"), ("wss", "wss"), ("http", "ws")])
async def test_a_websocket_has_the_scheme_of_websockets(said: str, scheme: str) -> None:
    assert (await seen(("proto", said), kind="websocket"))["scheme"] == scheme


@pytest.mark.parametrize("path", ["/v1/jobs", "/images/v1/jobs"])
async def test_a_prefix_is_taken_from_the_path_and_added_to_addresses(path: str) -> None:
    sent = [
        (b"location", b"/v1/jobs/1"),
        (b"link", b'</v1/images?after=2>; rel="next", </v1/jobs>; rel="up"'),
        (b"etag", b'"/v1"'),
    ]
    scope = await seen(root_path="/images", path=path, sent=sent)

    assert (scope["path"], scope["raw_path"], scope["root_path"]) == ("/v1/jobs", b"/v1/jobs", "")
    assert prefix_of(scope) == "/images"
    assert scope["answered"] == {
        b"location": b"/images/v1/jobs/1",
        b"link": b'</images/v1/images?after=2>; rel="next", </images/v1/jobs>; rel="up"',
        b"etag": b'"/v1"',
    }


@pytest.mark.parametrize("prefix", ["//evil.example", "/a b", "evil", "/..", "/a/../b", "/a?b"])
async def test_a_prefix_that_is_no_path_is_ignored(prefix: str) -> None:
    sent = [(b"location", b"/v1/jobs/1")]
    scope = await seen(("prefix", prefix), root_path="/images", sent=sent)

    assert prefix_of(scope) == "/images"
    assert scope["answered"][b"location"] == b"/images/v1/jobs/1"


@pytest.mark.parametrize("text", ["proxy.example", "10.0.0.1/8", "10.0.0.0/40", "::g"])
def test_a_setting_that_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="addresses and networks"):
        named(text)


@pytest.mark.parametrize("text", ["images", "//images", "/a b", "/../a", "/v1", "https://a/b"])
def test_a_prefix_that_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write it as /images"):
        GatewaySettings.model_validate({"root_path": text})


def test_a_prefix_may_end_with_a_slash() -> None:
    assert GatewaySettings.model_validate({"root_path": "/images/"}).root_path == "/images"
    assert GatewaySettings.model_validate({"root_path": "/"}).root_path == ""
