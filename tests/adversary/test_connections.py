"""Attacks below the application: endless headers, half requests, pipelines, a stop that waits."""

import select
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import partial
from socket import socket

import pytest

from tests.adversary.conftest import Record
from tests.attempts import attempts
from tests.gateway.raw import connected, is_closed, read_response
from tests.gateway.refusals import assert_problem
from tests.processes import HTTP, Service, faststream, valkey, wait_until

GET = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.fixture(scope="module")
def gateway_alone() -> Iterator[Service]:
    """A gateway with short time limits, and little memory for bodies."""
    env = {
        "DARKROOM_HEADER_TIMEOUT": "1",
        "DARKROOM_GRACEFUL_TIMEOUT": "1",
        "DARKROOM_MAX_BODIES": "1000000",
        "DARKROOM_BODY_PATIENCE": "3",
    }
    with (
        valkey() as server,
        faststream("gateway", str(server.connection_url), env=env) as service,
    ):
        yield service


def seconds_of_health(service: Service) -> float:
    """Return how long the gateway takes to answer that it is alive."""
    began = time.monotonic()
    HTTP.get(f"{service.url}/health/live").raise_for_status()
    return time.monotonic() - began


def slowest_health(service: Service, flood: bytes, more: bytes, *, connections: int) -> float:
    """Attack with `flood` and then `more` without end; return the slowest of six health checks."""
    stop = threading.Event()

    def attack() -> None:
        while not stop.is_set():
            with suppress(OSError), connected(service.url) as sock:
                sock.sendall(flood)
                while not stop.is_set():
                    sock.sendall(more)

    attackers = [threading.Thread(target=attack) for _ in range(connections)]
    for attacker in attackers:
        attacker.start()
    slowest = 0.0
    for _ in range(6):
        time.sleep(0.5)
        slowest = max(slowest, seconds_of_health(service))
    stop.set()
    for attacker in attackers:
        attacker.join()
    return slowest


@pytest.mark.serial
def test_endless_header_values_stop_nobody(gateway_alone: Service, record_attack: Record) -> None:
    for attempt in attempts():
        slowest = slowest_health(gateway_alone, GET + b"A: ", b"a" * 65_536, connections=4)
        with attempt:
            assert slowest < 1

    record_attack(
        "4 connections with a header value that never ends",
        "after 8 s, the health check took 13.4 s",
        f"refused with 431; the slowest health check took {slowest * 1000:.0f} ms",
    )


@pytest.mark.serial
def test_tiny_chunks_stop_nobody(gateway_alone: Service, record_attack: Record) -> None:
    head = b"POST /v1/images HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    for attempt in attempts():
        slowest = slowest_health(gateway_alone, head, b"1\r\nx\r\n" * 10_000, connections=30)
        with attempt:
            assert slowest < 1.5

    record_attack(
        "30 connections with bodies in chunks of one byte",
        "the health check took 9.7 s",
        f"refused with 400; the slowest health check took {slowest * 1000:.0f} ms",
    )


@pytest.mark.serial
def test_a_header_full_of_spaces_stops_nobody(
    gateway_alone: Service, record_attack: Record
) -> None:
    path = f"{gateway_alone.url}/v1/images/{'0' * 64}/render"
    for attempt in attempts():
        began = time.monotonic()
        answer = HTTP.get(path, headers={"Prefer": "wait=" + " " * 4000 + '"'})
        took = time.monotonic() - began

        assert answer.status_code == 404
        with attempt:
            assert took < 1

    record_attack(
        "one request with 4,000 spaces in its field Prefer",
        "the gateway answered nobody for 107 s",
        f"answered after {took * 1000:.0f} ms",
    )


def are_closed(sockets: list[socket]) -> bool:
    return all(map(is_closed, sockets))


@pytest.mark.serial
def test_half_requests_are_closed(gateway_alone: Service, record_attack: Record) -> None:
    for attempt in attempts():
        with ExitStack() as stack:
            sockets = [stack.enter_context(connected(gateway_alone.url)) for _ in range(600)]
            for sock in sockets:
                sock.sendall(GET)
            began = time.monotonic()
            wait_until(partial(are_closed, sockets), seconds=10)
            took = time.monotonic() - began
        with attempt:
            assert took < 5

    record_attack(
        "600 connections with half a header",
        "all were open after 70 s",
        f"all closed after {took:.1f} s, with a limit of 1 s (10 s by default)",
    )


@pytest.mark.serial
def test_a_pipeline_that_nobody_reads_ends(gateway_alone: Service, record_attack: Record) -> None:
    for number, attempt in enumerate(attempts(), start=1):
        with connected(gateway_alone.url) as sock, suppress(OSError):
            sock.settimeout(1)
            for _ in range(200):
                sock.sendall((GET + b"\r\n") * 2000)
        health = seconds_of_health(gateway_alone)
        refused = HTTP.get(f"{gateway_alone.url}/metrics").text

        assert f'darkroom_refused_connections_total{{reason="pipeline"}} {number}.0' in refused
        with attempt:
            assert health < 0.5

    record_attack(
        "400,000 requests in one connection, no answer read",
        "all were taken; the health check took 0.8 s",
        f"refused after 17; the health check took {health * 1000:.0f} ms",
    )


@pytest.mark.serial
def test_stalled_uploads_keep_nobody_out(gateway_alone: Service, record_attack: Record) -> None:
    """Two bodies fill `DARKROOM_MAX_BODIES`, and go on with a byte at a time."""
    head = b"POST /v1/images HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n\r\n"
    stop = threading.Event()

    def attack() -> None:
        with connected(gateway_alone.url) as sock, suppress(OSError):
            sock.sendall(head + bytes(499_000))
            while not stop.wait(0.2):
                sock.sendall(b"x")

    attackers = [threading.Thread(target=attack) for _ in range(2)]
    for attacker in attackers:
        attacker.start()
    time.sleep(1.5)
    answers = [
        HTTP.post(f"{gateway_alone.url}/v1/images", content=bytes(300_000)) for _ in range(5)
    ]
    stop.set()
    for attacker in attackers:
        attacker.join()

    codes = {answer.json()["code"] for answer in answers}
    assert codes == {"no_workers"}  # the upload was read
    record_attack(
        "2 uploads that fill DARKROOM_MAX_BODIES and then send a byte now and then",
        "everybody else got 503, for as long as the two went on",
        "the slowest of the two was refused; 5 of 5 other uploads were read",
    )


@pytest.mark.serial
def test_a_body_of_single_bytes_is_refused(gateway_alone: Service, record_attack: Record) -> None:
    head = b"POST /v1/images HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n\r\n"
    for attempt in attempts():
        with connected(gateway_alone.url) as sock:
            sock.sendall(head)
            began = time.monotonic()
            while not select.select([sock], [], [], 0.2)[0]:
                sock.sendall(b"x")
            answer, took = read_response(sock), time.monotonic() - began

        assert_problem(answer, 408, "deadline_exceeded")
        with attempt:
            assert took < 5

    record_attack(
        "a body of one byte now and then",
        "held for as long as the client went on",
        f"refused after {took:.1f} s, with a patience of 3 s (30 s by default)",
    )


@pytest.mark.serial
def test_a_stop_does_not_wait_for_a_slow_request(
    gateway_alone: Service, record_attack: Record
) -> None:
    """The last test of the module: it stops the gateway."""
    head = b"POST /v1/images HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n"
    with connected(gateway_alone.url) as sock:
        sock.sendall(head + b"x")
        time.sleep(0.2)
        began = time.monotonic()
        gateway_alone.process.terminate()
        answer = read_response(sock)
        gateway_alone.process.wait(10)
        took = time.monotonic() - began

    assert_problem(answer, 504, "deadline_exceeded")
    assert "Traceback" not in gateway_alone.output()
    assert took < 8
    record_attack(
        "SIGTERM while a body arrives, a byte at a time",
        "the gateway still waited after 40 s",
        f"stopped after {took:.1f} s, with a limit of 1 s (15 s by default)",
    )
