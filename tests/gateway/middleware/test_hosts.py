"""The host name of a request decides whether the gateway answers it."""

from collections.abc import Sequence

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.errors import Code, ServiceError
from services.gateway.middleware.hosts import CALLED_HOST, HostMiddleware
from services.gateway.settings import GatewaySettings
from tests.gateway.raw import connected, read_response
from tests.gateway.refusals import assert_problem
from tests.processes import Service

LOOPBACK, LAN = "127.0.0.1", "192.0.2.7"


async def is_answered(
    *hosts: str,
    names: Sequence[str] | None = None,
    server: str | None = LOOPBACK,
    path: str = "/v1/jobs",
    called: str | None = None,
) -> bool:
    """Return whether a request with these `Host` fields, at this server, reaches the app."""
    reached: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        reached.append(scope)

    def refuse(error: ServiceError, scope: Scope) -> ASGIApp:
        assert error.code is Code.MISDIRECTED_REQUEST

        async def refused(scope: Scope, receive: Receive, send: Send) -> None: ...

        return refused

    async def receive() -> Message:
        raise AssertionError("nothing is read")

    async def send(message: Message) -> None: ...

    scope: Scope = {
        "type": "http",
        "path": path,
        "server": server and (server, 8000),
        "headers": [(b"accept", b"*/*"), *((b"host", host.encode()) for host in hosts)],
    }
    if called is not None:
        scope[CALLED_HOST] = called.encode()
    await HostMiddleware(app, names, refuse=refuse)(scope, receive, send)
    return bool(reached)


def names_in(text: str) -> Sequence[str] | None:
    return GatewaySettings.model_validate({"hosts": text}).hosts


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "localhost:8000", "LocalHost", "localhost.", "app.localhost:1"),
        *("127.0.0.1", "127.0.0.1:8000", "127.1.2.3", "[::1]", "[::1]:8000"),
        *("[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]"),
    ],
)
async def test_loopback_names_are_answered_everywhere(host: str) -> None:
    for server in (LOOPBACK, LAN, "::1", None):
        for names in (None, names_in(""), names_in("images.example.com")):
            assert await is_answered(host, names=names, server=server)


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example"),
        *("notlocalhost", "192.0.2.7", "0.0.0.0", "[::]", "127.1", "2130706433", "0x7f000001"),
        *("", ":8000", "localhost:x", "localhost@evil.example", "evil.example/localhost"),
        *("localhost, evil.example", "localhost:8000:9", "[::1", "::1", "x" * 5000),
    ],
)
async def test_no_other_name_is_answered_on_loopback_unless_it_is_listed(host: str) -> None:
    assert not await is_answered(host)
    assert not await is_answered(host, server="::1")
    assert not await is_answered(host, server="::ffff:127.0.0.1")
    assert not await is_answered(host, names=names_in("images.example.com"))


async def test_a_request_has_exactly_one_host() -> None:
    assert not await is_answered()
    assert not await is_answered("localhost", "localhost")
    assert not await is_answered("localhost", "evil.example", names=names_in("*"))


async def test_listed_names_are_answered_at_every_address() -> None:
    names = names_in("Images.example.com., *.cdn.example, 198.51.100.1 [2001:DB8::1]")
    for server in (LOOPBACK, LAN):
        for host in (
            *("images.example.com", "IMAGES.example.com:443", "a.cdn.example", "b.a.cdn.example"),
            *("198.51.100.1:80", "[2001:db8:0::1]"),
        ):
            assert await is_answered(host, names=names, server=server), host
        for host in ("example.com", "cdn.example", "evilcdn.example", "x.images.example.com"):
            assert not await is_answered(host, names=names, server=server), host
    assert await is_answered("any.example", names=names_in("*"))


async def test_the_address_of_the_connection_is_answered() -> None:
    assert await is_answered(f"{LAN}:8000", names=names_in(""), server=LAN)
    assert await is_answered("[2001:db8::1]", names=names_in(""), server="2001:db8::1")
    assert not await is_answered("192.0.2.8", names=names_in(""), server=LAN)


async def test_without_the_setting_every_name_is_answered_except_on_loopback() -> None:
    assert await is_answered("images.example.com", server=LAN)
    assert await is_answered("images.example.com", server=None)  # a Unix socket
    assert not await is_answered("images.example.com", server=LOOPBACK)


async def test_the_name_by_which_a_proxy_calls_counts_beside_the_name_that_it_passes_on() -> None:
    names = names_in("images.example.com,darkroom")

    assert await is_answered("images.example.com", names=names, called="darkroom:8000")
    assert not await is_answered("images.example.com", names=names, called="evil.example")
    assert not await is_answered("localhost", called="evil.example")


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
async def test_health_checks_need_no_name(path: str) -> None:
    assert await is_answered("192.0.2.9", path=path)
    assert await is_answered(path=path)
    assert not await is_answered("evil.example", path=f"{path}/more")


@pytest.mark.parametrize("text", ["http://a.example", "a.example:80", "*example", "a..b", "a b/c"])
def test_a_setting_that_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="without scheme and port"):
        names_in(text)


@pytest.mark.parametrize(
    "fields",
    [
        "",
        "Host: localhost\r\nHost: localhost\r\n",
        "Host: localhost\r\nHOST: evil.example\r\n",
        *(
            f"Host: {host}\r\n"
            for host in (
                "localhost, a",
                "a@localhost",
                "localhost:x",
                "a:1:2",
                "[::1",
                "::1",
                "a/b",
            )
        ),
    ],
)
def test_a_request_without_one_valid_host_is_malformed(gateway: Service, fields: str) -> None:
    for path in ("/v1/jobs", "/health/live"):
        with connected(gateway.url) as sock:
            sock.sendall(f"GET {path} HTTP/1.1\r\n{fields}\r\n".encode())
            answer = read_response(sock)
            assert "Host" in assert_problem(answer, 400, "invalid_request")
            assert answer.headers["connection"] == "close"


def test_a_websocket_without_a_host_is_malformed_and_no_fault(gateway: Service) -> None:
    faults = gateway.output().count("Fatal error")
    with connected(gateway.url) as sock:
        sock.sendall(b"GET /v1/live HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        assert_problem(read_response(sock), 400, "invalid_request")
    with connected(gateway.url) as sock:
        sock.sendall(b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n")
        read_response(sock)
    assert gateway.output().count("Fatal error") == faults


def test_an_empty_host_is_valid_and_names_nobody(gateway: Service) -> None:
    for host in ("", ":80", "%41.example", "a,b"):
        with connected(gateway.url) as sock:
            sock.sendall(f"GET /v1/jobs HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            assert_problem(read_response(sock), 421, "misdirected_request")


def test_a_health_check_of_http_1_0_needs_no_host(gateway: Service) -> None:
    with connected(gateway.url) as sock:
        sock.sendall(b"GET /health/live HTTP/1.0\r\n\r\n")
        assert read_response(sock).status_code == 200


def test_a_refusal_is_a_problem_document_and_reads_no_body(gateway: Service) -> None:
    with connected(gateway.url) as sock:
        sock.sendall(
            b"POST /v1/images HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 5\r\n\r\nhello"
        )
        assert_problem(read_response(sock), 421, "misdirected_request")
