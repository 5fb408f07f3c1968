"""Requests that are not HTTP, too long or too slow, and connections beyond the limits."""

import re
import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http.client import HTTPException

import httpx
import pytest
from websockets.sync.client import connect

from tests.gateway.raw import connected, is_closed, read_response
from tests.gateway.refusals import assert_problem
from tests.processes import HTTP, Service, faststream, wait_until

GET = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n"
POST = b"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\n"
UPGRADE = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
HANDSHAKE = (
    b"GET /v1/live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def gateway(redis_url: str) -> Iterator[Service]:
    """A gateway with room for 20 connections, six of them from one address."""
    env = {
        "DARKROOM_HEADER_TIMEOUT": "3",  # more than a busy machine makes a header late
        "DARKROOM_MAX_CONNECTIONS": "20",
        "DARKROOM_MAX_CONNECTIONS_PER_ADDRESS": "6",
        "DARKROOM_PROXIES": "127.0.0.1",
    }
    with faststream("gateway", redis_url, env=env) as service:
        yield service


def answer_to(service: Service, *parts: bytes) -> httpx.Response:
    """Send raw bytes over a connection of its own, and return the first response."""
    with connected(service.url) as sock:
        for part in parts:
            sock.sendall(part)
        return read_response(sock)


def refused(service: Service, reason: str) -> float:
    """Return how many connections were refused for a reason, by the service's metrics."""
    text = HTTP.get(f"{service.url}/metrics").text
    series = f'darkroom_refused_connections_total{{reason="{reason}"}}'
    found = re.search(rf"^{re.escape(series)} (\S+)", text, re.MULTILINE)
    return float(found[1]) if found else 0


@pytest.mark.parametrize(
    "request_",
    [
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /health/live\r\n\r\n",
        b"GET /health/live HTTP/2.0\r\n\r\n",
        b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
        GET + b"A: b\0c\r\n\r\n",
        GET + b"A: b\rc\r\n\r\n",
        GET + b"A: b\n\n",
        GET + b"A : b\r\n\r\n",
        POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        POST + UPGRADE + b"Content-Length: 3\r\n\r\nabc",
        GET + UPGRADE + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + UPGRADE + b"\r\n",
        CHUNKED + b"zz\r\n",
        CHUNKED + b"1\r\nx\r\n" * 1100,
    ],
    ids=[
        *("text", "TLS", "HTTP/0.9", "HTTP/2", "CONNECT", "NUL", "bare CR", "bare LF", "space"),
        *("length and chunks", "two lengths", "unknown coding"),
        *("POST and upgrade", "upgrade with chunks", "POST without a body and upgrade"),
        *("size of a chunk", "1,100 chunks"),
    ],
)
def test_malformed_http_gets_a_problem_document(gateway: Service, request_: bytes) -> None:
    answer = answer_to(gateway, request_)

    assert_problem(answer, 400, "invalid_request")
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET /" + b"a" * 10_000_000, 414),
        (GET + b"A: " + b"a" * 33_000, 431),
        (GET + b"".join(b"A%d: b\r\n" % number for number in range(100)) + b"\r\n", 431),
        (CHUNKED + b"2\r\n{}\r\n0\r\n" + b"A: b\r\n" * 20_000, 431),
        (CHUNKED + b"2;" + b"a" * 100_000, 431),
    ],
    ids=["line", "10 MB", "value", "101 fields", "trailer", "extension of a chunk"],
)
def test_a_request_that_is_too_long_is_refused(
    gateway: Service, request_: bytes, status: int
) -> None:
    assert_problem(answer_to(gateway, request_), status, "too_large")


def test_a_header_of_the_maximum_size_in_single_bytes_is_read(gateway: Service) -> None:
    long = GET + b"A: " + b"a" * (32 * 1024 - len(GET) - 7) + b"\r\n\r\n"
    tail = [long[place : place + 1] for place in range(len(long) - 200, len(long))]

    answer = answer_to(gateway, long[:-200], *tail)

    assert len(long) == 32 * 1024
    assert answer.status_code == 200


def test_a_refusal_has_the_correlation_id_of_its_request(gateway: Service) -> None:
    answer = answer_to(gateway, GET + b"X-Correlation-ID: mine\r\n" + b"A: " + b"a" * 40_000)

    assert answer.json()["correlation_id"] == "mine"
    wait_until(lambda: '"mine"' in gateway.output())


def test_a_refusal_follows_the_answers_of_earlier_requests(gateway: Service) -> None:
    with connected(gateway.url) as sock:
        sock.sendall(GET + b"\r\n" + b"nonsense\r\n\r\n")
        received = b""
        while piece := sock.recv(65_536):
            received += piece

    assert re.findall(rb"HTTP/1.1 (\d+)", received) == [b"200", b"400"]


def test_many_requests_without_a_read_are_refused(gateway: Service) -> None:
    with connected(gateway.url) as sock:
        sock.sendall((GET + b"\r\n") * 2000)
        received = b""
        while piece := sock.recv(65_536):
            received += piece

    assert received.count(b"HTTP/1.1 200") < 40
    assert b"overloaded" in received


def test_the_fields_of_a_trailer_stay_out_of_the_request(gateway: Service) -> None:
    """A trailer arrives after the checks of the header."""
    head = b"POST /v1/nothing HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

    answer = answer_to(gateway, head + b"2\r\n{}\r\n0\r\nX-Correlation-ID: trailer\r\n\r\n")

    assert answer.headers["x-correlation-id"] != "trailer"


def test_an_unknown_upgrade_is_answered_as_an_ordinary_request(gateway: Service) -> None:
    upgrade = GET + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    with connected(gateway.url) as sock:
        sock.sendall(upgrade + b"PRI * HTTP/2.0\r\n\r\n")

        answer = read_response(sock)

        assert answer.status_code == 200
        assert answer.headers["connection"] == "close"


def test_http_1_0_is_answered(gateway: Service) -> None:
    assert answer_to(gateway, b"GET /health/live HTTP/1.0\r\n\r\n").status_code == 200


def test_half_a_header_is_a_timeout(gateway: Service) -> None:
    with connected(gateway.url) as sock:
        sock.sendall(GET)

        assert_problem(read_response(sock), 408, "deadline_exceeded")


def test_a_connection_without_a_request_is_closed_silently(gateway: Service) -> None:
    with connected(gateway.url) as sock:
        assert sock.recv(1) == b""


def test_bytes_of_the_next_header_do_not_renew_its_time(gateway: Service) -> None:
    with connected(gateway.url) as sock:
        sock.sendall(GET + b"\r\n")
        assert read_response(sock).status_code == 200
        sock.sendall(GET + b"A: ")
        began = time.monotonic()
        while not select.select([sock], [], [], 0.1)[0]:
            sock.sendall(b"a")

        assert_problem(read_response(sock), 408, "deadline_exceeded")
        assert time.monotonic() - began < 9


def test_a_new_connection_replaces_the_one_that_waited_longest(gateway: Service) -> None:
    with ExitStack() as stack:
        sockets = [stack.enter_context(connected(gateway.url)) for _ in range(25)]
        sockets[-1].sendall(GET + b"\r\n")

        assert read_response(sockets[-1]).status_code == 200
        wait_until(lambda: is_closed(sockets[0]))


def test_connections_beyond_the_limit_are_refused_if_every_one_has_a_request(
    gateway: Service,
) -> None:
    before = refused(gateway, "connections")
    with ExitStack() as stack:
        websocket = gateway.url.replace("http", "ws") + "/v1/live"
        for _ in range(20):
            stack.enter_context(connect(websocket, proxy=None))

        with connected(gateway.url) as sock:
            assert_problem(read_response(sock), 503, "overloaded")

    wait_until(lambda: answer_to(gateway, GET + b"\r\n").status_code == 200)
    assert refused(gateway, "connections") >= before + 1


def test_one_address_has_a_limit_of_its_own(gateway: Service) -> None:
    port = int(gateway.url.rpartition(":")[2])

    def from_another_address() -> socket.socket:
        return socket.create_connection(("127.0.0.1", port), 10, source_address=("127.0.0.2", 0))

    def is_opened(stack: ExitStack) -> bool:
        """Open a WebSocket. Closed connections may count for a moment after their end."""
        sock = from_another_address()
        with suppress(ConnectionError, HTTPException):
            sock.sendall(HANDSHAKE)
            if read_response(sock).status_code == 101:
                stack.enter_context(sock)
                return True
        sock.close()
        return False

    for _ in range(2):  # closed connections no longer count
        with ExitStack() as stack:
            for _ in range(6):
                wait_until(lambda: is_opened(stack))
            with from_another_address() as seventh:
                assert_problem(read_response(seventh), 503, "overloaded")

            assert answer_to(gateway, GET + b"\r\n").status_code == 200  # a proxy has no limit
