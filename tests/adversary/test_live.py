"""Attacks on WebSockets and event streams: too many, too much, too fast, and never read."""

import asyncio
import json
import math
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.adversary.conftest import Record
from tests.attempts import attempts
from tests.imaging.pictures import encoded, scenery
from tests.processes import Service, faststream, until

SOCKETS, MESSAGES, IDS = 300, 3, 1000
TEXT, PING = 0x81, 0x89  # whole
START_OF_TEXT, CONTINUED = 0x01, 0x00
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
PNG = encoded(scenery(40, 30), "PNG")


@pytest.fixture(scope="module")
def gateway(redis_url: str) -> Iterator[Service]:
    with faststream("gateway", redis_url) as service:
        yield service


@asynccontextmanager
async def websocket(
    service: Service, field: str = ""
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A WebSocket without a library, which sends nothing and reads 128 KiB by itself."""
    host = service.url.removeprefix("http://")
    reader, writer = await asyncio.open_connection(*host.split(":"))
    writer.write(
        f"GET /v1/live HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"{field}\r\n".encode()
    )
    try:
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
        yield reader, writer
    finally:
        writer.transport.abort()
        with suppress(ConnectionError):
            await writer.wait_closed()


def frame(kind: int, content: bytes = b"") -> bytes:
    """Return a frame, masked by zeros."""
    size = len(content)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack("!H", size)
    return bytes([kind]) + length + bytes(4) + content


def watching(*jobs: str) -> bytes:
    return frame(TEXT, json.dumps({"watch": jobs}).encode())


def rss_of(service: Service) -> int:
    """Return the MiB of memory that a service has."""
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) >> 10


@dataclass
class Flooded:
    """Measurements of a gateway that is flooded."""

    received: int  # bytes, by the flood
    worst: float  # seconds of the slowest health check
    modest: float  # seconds until another client had its first event
    grown: int  # MiB


async def flooded(gateway: Service) -> Flooded:
    """Watch many unknown jobs over many WebSockets for five seconds."""
    received = 0
    connected, go = asyncio.Semaphore(0), asyncio.Event()

    async def flood(messages: bytes) -> None:
        nonlocal received
        with suppress(ConnectionError):
            async with websocket(gateway, DEFLATE) as (reader, writer):
                connected.release()
                await go.wait()
                writer.write(messages)
                while chunk := await reader.read(1 << 20):
                    received += len(chunk)

    before = rss_of(gateway)
    # Made before the clock starts, and ids that all sockets share are unknown as well.
    jobs = [[uuid4().hex for _ in range(IDS)] for _ in range(MESSAGES)]
    messages = b"".join(watching(*some) for some in jobs)
    floods = [asyncio.create_task(flood(messages)) for _ in range(SOCKETS)]
    for _ in floods:
        await connected.acquire()
    go.set()
    worst, most = 0.0, before
    loop = asyncio.get_running_loop()
    start = loop.time()

    async def watch_two() -> float:
        async with websocket(gateway) as (reader, writer):
            began = loop.time()
            writer.write(watching(uuid4().hex, uuid4().hex))
            await reader.readexactly(2)
            return loop.time() - began

    async with httpx.AsyncClient(timeout=60) as client:
        await asyncio.sleep(0.5)
        modest = asyncio.create_task(watch_two())
        while loop.time() < start + 5:
            asked = loop.time()
            health = await client.get(f"{gateway.url}/health/ready")
            assert health.status_code == 200
            worst, most = max(worst, loop.time() - asked), max(most, rss_of(gateway))
            await asyncio.sleep(0.05)
    waited = modest.result() if modest.done() else math.inf
    for task in (*floods, modest):
        task.cancel()
    await asyncio.gather(*floods, modest, return_exceptions=True)
    return Flooded(received, worst, waited, most - before)


@pytest.mark.serial
async def test_many_sockets_with_many_ids_leave_the_health_check_fast(
    gateway: Service, record_attack: Record
) -> None:
    for attempt in attempts():
        seen = await flooded(gateway)
        assert seen.received
        assert seen.grown < 250
        with attempt:
            assert seen.worst < 1
            assert seen.modest < 2, "a client with two jobs waited behind the others"

    record_attack(
        f"{SOCKETS} WebSockets watch {MESSAGES} times {IDS:,} unknown jobs each",
        "health is 500 after 20.0 s, then 503 for 6 s; the gateway grows by 730 MiB",
        f"health is always 200, within {seen.worst:.2f} s; another client that watches two jobs "
        f"has its first event after {seen.modest:.2f} s; the gateway grows by {seen.grown} MiB",
    )


@pytest.mark.serial
async def test_pings_whose_answers_nobody_reads_fill_no_memory(
    gateway: Service, record_attack: Record
) -> None:
    pings = frame(PING, bytes(125)) * 1000
    before, most = rss_of(gateway), 0

    async def ping() -> int:
        sent = 0
        async with websocket(gateway) as (_, writer):
            with suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(3):
                    while True:
                        writer.write(pings)
                        await writer.drain()
                        sent += len(pings)
        return sent

    pinging = [asyncio.create_task(ping()) for _ in range(10)]
    while not all(task.done() for task in pinging):
        most = max(most, rss_of(gateway))
        await asyncio.sleep(0.05)
    sent = sum(task.result() for task in pinging) >> 20

    assert most - before < 30
    record_attack(
        "10 WebSockets send pings and read none of the answers",
        "264 MiB of pings in 8 seconds, the gateway grows by 104 MiB and goes on growing",
        f"closed with 1008 after {sent} MiB, the gateway grows by {most - before} MiB",
    )


@pytest.mark.parametrize(
    ("name", "frames"),
    [
        ("5,000 empty lists of jobs", watching() * 5000),
        ("a message of 100,000 empty frames", frame(START_OF_TEXT) + frame(CONTINUED) * 100_000),
    ],
)
async def test_too_many_frames_close_the_connection(
    gateway: Service, record_attack: Record, name: str, frames: bytes
) -> None:
    loop = asyncio.get_running_loop()
    async with websocket(gateway) as (reader, writer):
        started = loop.time()
        with suppress(ConnectionResetError):  # the gateway has not read all frames
            writer.write(frames)
            async with asyncio.timeout(10):
                answer = await reader.read()
            assert answer[2:4] == (1008).to_bytes(2)
    record_attack(
        f"A WebSocket sends {name} at once",
        "all are read, and the connection stays open",
        f"closed after {(loop.time() - started) * 1000:.0f} ms",
    )


@pytest.mark.long
async def test_a_client_that_reads_nothing_is_cut_off(
    redis_url: str, record_attack: Record
) -> None:
    with faststream("gateway", redis_url) as alone:

        def open_files() -> int:
            return len(list(Path(f"/proc/{alone.process.pid}/fd").iterdir()))

        async with httpx.AsyncClient(base_url=alone.url, timeout=20) as client:
            job = (await client.post("/v1/jobs?op=flip", content=PNG)).json()["id"]
        loop = asyncio.get_running_loop()
        async with websocket(alone) as (_, writer):
            writer.write(watching(*[job] * IDS) * 150)  # answers of 36 MB
            started = loop.time()
            await asyncio.sleep(2)  # the connection of `client` closes
            before = open_files()
            await until(lambda: open_files() < before, seconds=60, every=0.2)
            seconds = loop.time() - started
    assert 10 < seconds < 50
    record_attack(
        "A WebSocket asks for 36 MB of events and reads nothing",
        "it stays open for ever, and a stop of the gateway hangs",
        f"disconnected after {seconds:.0f} s",
    )


async def test_head_of_an_event_stream_ends(gateway: Service, record_attack: Record) -> None:
    async with httpx.AsyncClient(base_url=gateway.url, timeout=20) as client:
        job = (await client.post("/v1/jobs?op=flip", content=PNG)).headers["Location"]
        head = await client.head(f"{job}/events")

    assert head.headers["content-type"].startswith("text/event-stream")
    record_attack(
        "HEAD of the events of a queued job",
        "the connection stays open as long as the job does",
        f"ends after {head.elapsed.total_seconds() * 1000:.0f} ms",
    )
