"""Many slow readers of one large original: the memory that they cost the gateway."""

import asyncio
import socket
import time
from collections import Counter
from dataclasses import asdict, dataclass
from hashlib import sha256
from random import Random
from typing import Any

from bench.command_line import progress
from bench.imaging.photographs import Photograph
from bench.storage.deployment import Deployment, id_of
from bench.storage.measures import SMALL

READERS = 60
BYTES = 60_000_000
RATE = 1_000_000  # bytes a second of each reader

_PIECE = 64 << 10  # bytes
_BUFFER = 128 << 10  # bytes that the system may keep for a reader: it must be as slow as it reads
_START = 10.0  # seconds until the answer has to begin


@dataclass(frozen=True)
class Read:
    """The bytes that the readers have received, and the gateway's memory."""

    readers: int
    image_bytes: int
    rate: int  # bytes a second of each reader
    complete: int  # readers that have got all bytes, with their digest
    failures: dict[str, int]  # by reason
    seconds: float
    gateway_before: float  # MiB: the gateway's peak before the first reader
    gateway_peak: float  # MiB

    def to_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return asdict(self)


def read(deployment: Deployment, *, readers: int, size: int, rate: int = RATE) -> Read:
    """Upload an image of `size` bytes, and have all readers fetch it at once, at `rate` each."""
    progress(f"{readers} readers of {size / 1e6:g} MB")
    image = _grown(SMALL, size)
    uploaded = deployment.upload(image)
    before = deployment.gateway_peak()
    begin = time.perf_counter()
    outcomes = Counter(asyncio.run(_read_all(deployment.port, uploaded, readers, rate)))
    complete = outcomes.pop(id_of(image), 0)
    return Read(
        readers=readers,
        image_bytes=size,
        rate=rate,
        complete=complete,
        failures=dict(outcomes),
        seconds=time.perf_counter() - begin,
        gateway_before=before,
        gateway_peak=deployment.gateway_peak(),
    )


def _grown(photo: Photograph, size: int) -> bytes:
    """Return a JPEG of `size` bytes: what follows the end of the picture is not looked at."""
    picture = photo.read()
    return picture + Random(17).randbytes(size - len(picture))


async def _read_all(port: int, image: str, readers: int, rate: int) -> list[str]:
    return await asyncio.gather(*(_read(port, image, rate) for _ in range(readers)))


async def _read(port: int, image: str, rate: int) -> str:
    """Read an image at `rate`; return the digest of the bytes, or the reason of a failure."""
    try:
        return await _digest(port, image, rate)
    except (OSError, EOFError, TimeoutError) as exc:
        return type(exc).__name__


async def _digest(port: int, image: str, rate: int) -> str:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=connection, limit=_PIECE)
    try:
        lines = [f"GET /v1/images/{image} HTTP/1.1", "Host: 127.0.0.1", "Connection: close"]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _START)
        status = head.split(b" ", 2)[1]
        if status != b"200":
            return f"status {status.decode()}"
        digest, got, begin = sha256(), 0, time.monotonic()
        while piece := await reader.read(_PIECE):
            digest.update(piece)
            got += len(piece)
            await asyncio.sleep(begin + got / rate - time.monotonic())
        return digest.hexdigest()
    finally:
        writer.close()
