"""The memory of a gateway while many clients send and read large images at ordinary speeds."""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis import Redis

from contracts.imaging import Inspected
from services.runtime.redis import keys
from services.runtime.storage.records import Kind
from tests.adversary.conftest import Record
from tests.processes import Service, faststream, valkey

MB, MIB = 1_000_000, 1 << 20
SEEN = Inspected(format="png", media_type="image/png", mode="RGB", width=1, height=1)
LIMITS = {"DARKROOM_MAX_BODIES": f"{2 << 30}"}  # room for all uploads on the disk
FORM = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n', b"\r\n--b--\r\n"


@dataclass
class Gateway:
    """A gateway without workers, which stores images and can't describe them."""

    service: Service
    redis: Redis

    def peak(self) -> int:
        """Bytes of memory at most, since the start or `forget_peak`."""
        text = Path(f"/proc/{self.service.process.pid}/status").read_text()
        return int(text.partition("VmHWM:")[2].split()[0]) * 1024

    def forget_peak(self) -> int:
        """Begin to measure the peak anew; return the memory of this moment."""
        Path(f"/proc/{self.service.process.pid}/clear_refs").write_text("5")
        return self.peak()

    def keep(self, data: bytes) -> str:
        """Upload an image, write its description, and return its path."""
        asyncio.run(self.upload([data]))
        key = sha256(data).hexdigest()
        self.redis.hset(keys.blob(Kind.IMAGE, key), "note", SEEN.model_dump_json())
        return f"/v1/images/{key}"

    async def upload(self, bodies: list[bytes]) -> None:
        """Upload images at once, every other one in a form."""
        await asyncio.gather(*(self._send(body, i % 2 == 1) for i, body in enumerate(bodies)))

    async def read(self, path: str, *, readers: int, rate: float, seconds: float) -> None:
        """Have clients read an image, at `rate` bytes a second each, for `seconds` or longer."""
        await asyncio.gather(*(self._receive(path, rate, seconds) for _ in range(readers)))

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(self.service.url)
        return await asyncio.open_connection(parts.hostname, parts.port)

    async def _send(self, body: bytes, in_form: bool) -> None:
        reader, writer = await self._connect()
        before, after = FORM if in_form else (b"", b"")
        kind = "multipart/form-data; boundary=b" if in_form else "image/png"
        writer.write(
            f"POST /v1/render HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {len(before) + len(body) + len(after)}\r\n\r\n".encode()
        )
        for piece in (before, body, after):
            writer.write(piece)
            await writer.drain()
        answer = await reader.readuntil(b"\r\n\r\n")
        writer.close()
        assert b" 503 " in answer, "stored, and no worker is there"
        assert self.redis.exists(keys.blob(Kind.IMAGE, sha256(body).hexdigest()))

    async def _receive(self, path: str, rate: float, seconds: float) -> None:
        reader, writer = await self._connect()
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
        loop, came = asyncio.get_running_loop(), 0
        began = loop.time()
        while loop.time() < began + seconds or came < rate * seconds / 4:
            data = await reader.read(65_536)
            assert data, "the gateway sends"
            came += len(data)
            await asyncio.sleep(max(0, came / rate - (loop.time() - began)))
        writer.close()


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    env = {**LIMITS, "DARKROOM_STORE": f"file://{tmp_path}"}
    with (
        valkey() as server,
        faststream("gateway", server.connection_url, env=env) as service,
        Redis.from_url(server.connection_url) as redis,
    ):
        yield Gateway(service, redis)


@pytest.mark.serial
def test_images_of_24_mb_take_no_copy_for_each_reader_or_upload(gateway: Gateway) -> None:
    data = os.urandom(24 * MB)
    path = gateway.keep(data)
    before = gateway.forget_peak()

    asyncio.run(gateway.read(path, readers=12, rate=3 * MB, seconds=2))
    read = gateway.forget_peak() - before
    asyncio.run(gateway.upload([bytes([number]) + data for number in range(12)]))
    sent = gateway.peak() - before

    # A copy for each of them would be 288 MB.
    assert read < 24 * MIB
    assert sent < 40 * MIB


@pytest.mark.long
@pytest.mark.serial
@pytest.mark.timeout(240)
def test_60_readers_and_20_uploads_of_60_mb(gateway: Gateway, record_attack: Record) -> None:
    data = os.urandom(60 * MB)
    path = gateway.keep(data)
    gateway.forget_peak()

    asyncio.run(gateway.read(path, readers=60, rate=MB, seconds=60))
    read = gateway.peak()
    gateway.forget_peak()
    asyncio.run(gateway.upload([bytes([number]) + data for number in range(20)]))
    sent = gateway.peak()

    assert read < 150 * MIB
    assert sent < 150 * MIB
    record_attack(
        "60 clients read an image of 60 MB at 1 MB a second each; then 20 clients send one each; "
        "memory of the gateway",
        "123 MiB, then 1,249 MiB",
        f"{read / MIB:.0f} MiB, then {sent / MIB:.0f} MiB",
    )
