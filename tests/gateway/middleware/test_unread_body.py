"""A request that is refused before its body has arrived: the client still receives the answer."""

import socket
import time

import pytest

from tests.gateway.raw import connected, read_response
from tests.gateway.refusals import assert_problem
from tests.processes import Service

LIMIT = 1_000_000  # bytes of a body that the gateway without workers accepts


def send_without_end(sock: socket.socket) -> None:
    while True:
        sock.sendall(b"10000\r\n" + bytes(65_536) + b"\r\n")
        time.sleep(0.05)


@pytest.mark.parametrize("connection", ["keep-alive", "close"])
def test_a_refusal_reaches_a_client_that_sends_its_whole_body_first(
    workerless: Service, connection: str
) -> None:
    """Browsers and proxies do; a reset of the connection would lose the answer."""
    body = bytes(8 * LIMIT)
    with connected(workerless.url) as sock:
        head = f"POST /v1/images HTTP/1.1\r\nHost: localhost\r\nConnection: {connection}\r\n"
        sock.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

        answer = read_response(sock)

    assert_problem(answer, 413, "too_large")
    assert answer.headers["connection"] == "close"


def test_an_endless_body_is_cut_off(workerless: Service) -> None:
    with connected(workerless.url) as sock:
        sock.sendall(
            b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        )

        with pytest.raises(ConnectionError):
            send_without_end(sock)
