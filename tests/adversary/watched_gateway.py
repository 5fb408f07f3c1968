"""A gateway whose memory is measured, and clients that read little of its answers."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from redis import Redis

from tests.gateway.raw import connected
from tests.imaging.pictures import encoded
from tests.processes import HTTP, Service, faststream, valkey

MB, MIB = 1_000_000, 1 << 20
HELD = 576 << 10  # bytes of a large image that a reader holds
LIMITS = {
    "DARKROOM_MAX_BODIES": f"{32 * MB}",
    "DARKROOM_MAX_RESULT": f"{4 * MB}",
    "DARKROOM_MAX_ANSWERS": f"{50 * HELD}",
    "DARKROOM_READER_PATIENCE": "3",
    "DARKROOM_READER_RATE": "100000",
}


@dataclass
class Suite:
    """A gateway with one worker, and their Redis."""

    gateway: Service
    redis: Redis

    def upload(self, size: int) -> str:
        """Upload an image of about `size` bytes, and return its path."""
        answer = HTTP.post(f"{self.gateway.url}/v1/images", content=noise(size))
        answer.raise_for_status()
        return str(answer.headers["location"])

    def memory(self) -> int:
        """Bytes of memory that the gateway has now."""
        return self._status("VmRSS")

    def peak(self) -> int:
        """The most bytes of memory that the gateway has had since `forget_peak`."""
        return self._status("VmHWM")

    def forget_peak(self) -> None:
        """Begin to measure the peak anew (Linux, proc_pid_clear_refs(5))."""
        Path(f"/proc/{self.gateway.process.pid}/clear_refs").write_text("5")

    def cuts(self) -> int:
        """Return the number of slow readers whose connection the gateway has closed."""
        return self.gateway.output().count("slow reader cut")

    def _status(self, field: str) -> int:
        text = Path(f"/proc/{self.gateway.process.pid}/status").read_text()
        return int(text.partition(f"{field}:")[2].split()[0]) * 1024


def started(limits: dict[str, str]) -> Iterator[Suite]:
    with (
        valkey() as server,
        faststream("imaging", server.connection_url, env={**limits, "DARKROOM_SLOTS": "1"}),
        faststream("gateway", server.connection_url, env=limits) as gateway,
        Redis.from_url(server.connection_url) as redis,
    ):
        yield Suite(gateway, redis)


def noise(size: int) -> bytes:
    """A PNG of about `size` bytes."""
    side = int((size / 3) ** 0.5)
    pixels = Image.frombytes("RGB", (side, side), os.urandom(side * side * 3))
    return encoded(pixels, "PNG", compress_level=0)


def asking(stack: ExitStack, suite: Suite, path: str, *, buffer: int = 4096) -> socket.socket:
    """Ask for an image over a new connection, and read nothing; the kernel buffers as little."""
    sock = stack.enter_context(connected(suite.gateway.url))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    return sock


def rest_of(sock: socket.socket) -> int:
    """Read to the end, and return how many bytes came."""
    sock.settimeout(10)
    came = 0
    try:
        while data := sock.recv(1 << 20):
            came += len(data)
    except ConnectionResetError:
        pass
    return came


_HEALTH_CHECK = """
import select, sys, time, httpx
longest = 0.0
with httpx.Client(trust_env=False, timeout=30) as client:
    while not select.select([sys.stdin], [], [], 0.02)[0]:
        began = time.monotonic()
        client.get(sys.argv[1])
        longest = max(longest, time.monotonic() - began)
print(longest)
"""


class HealthCheck:
    """Asks for a gateway's health again and again, and keeps the longest time of an answer.

    In a process of its own: the threads of an attack would delay it.
    """

    def __init__(self, url: str) -> None:
        command = [sys.executable, "-c", _HEALTH_CHECK, f"{url}/health/live"]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        self.longest = 0.0  # seconds

    def __enter__(self) -> "HealthCheck":
        return self

    def __exit__(self, *_: object) -> None:
        printed = self._process.communicate("", timeout=40)[0]
        self.longest = float(printed)
