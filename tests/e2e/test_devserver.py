"""`make run`, started and ended as a person would: with the real services and a real Valkey."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from tests.processes import free_port

ROOT = Path(__file__).resolve().parents[2]
RUNNER = (sys.executable, "-m", "devserver.local")

pytestmark = pytest.mark.timeout(180)


@dataclass(frozen=True)
class Running:
    process: Process
    env: dict[str, str]
    redis_url: str

    async def end_with(self, number: signal.Signals) -> int:
        """As the terminal does: to the whole foreground group."""
        os.killpg(self.process.pid, number)
        return await self.has_ended()

    async def has_ended(self) -> int:
        # Read, or a full pipe holds back what the end has to say.
        await asyncio.wait_for(self.process.communicate(), 60)
        assert self.process.returncode is not None
        return self.process.returncode


@pytest.fixture
def env(tmp_path: Path) -> Iterator[dict[str, str]]:
    rest = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
    yield rest | free_ports() | {"DATA_DIR": str(tmp_path)}
    for pid in left_running(tmp_path):
        os.kill(pid, signal.SIGKILL)


def free_ports() -> dict[str, str]:
    return {"PORT": str(free_port()), "IMAGING_PORT": str(free_port())}


@asynccontextmanager
async def running(env: dict[str, str]) -> AsyncIterator[Running]:
    process = await asyncio.create_subprocess_exec(
        *RUNNER, cwd=ROOT, env=env, stdout=PIPE, stderr=PIPE, start_new_session=True
    )
    try:
        assert process.stdout is not None
        said = await asyncio.wait_for(process.stdout.readuntil(b"Ctrl-C ends everything."), 90)
        [redis_url] = re.findall(r"redis://\S+", said.decode())
        yield Running(process, env, redis_url)
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            await asyncio.wait_for(process.communicate(), 60)


def left_running(data: Path) -> dict[int, str]:
    """Whatever has the test's folder in its environment: only the runner gave it that."""
    mark = f"DATA_DIR={data}".encode()
    left = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                left[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
    return left


def refusal(env: dict[str, str]) -> str:
    """The one line that the runner says when it cannot run."""
    refused = subprocess.run(
        RUNNER, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert refused.returncode == 1
    assert refused.stdout == ""
    [line] = refused.stderr.splitlines()
    return line


@pytest.mark.parametrize("variable", ["PORT", "IMAGING_PORT"])
def test_a_taken_port_is_one_line_before_anything_starts(
    variable: str, env: dict[str, str], tmp_path: Path
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", int(env[variable])))
        other.listen()

        line = refusal(env)

    assert f"port {env[variable]} " in line
    assert f"set {variable} to another" in line
    assert not (tmp_path / "valkey/valkey.log").exists()


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("PORT", "eighty", "PORT: "),
        ("IMAGING_PORT", "65536", "IMAGING_PORT: "),
        ("REDIS_URL", "postgres://user:secret@127.0.0.1", "REDIS_URL: "),
        ("REDIS_URL", "redis://:secret@127.0.0.1:1", "REDIS_URL names a Redis that does not"),
    ],
)
def test_a_wrong_variable_is_named_without_its_value(
    variable: str, value: str, complaint: str, env: dict[str, str]
) -> None:
    line = refusal(env | {variable: value})

    assert complaint in line
    assert "secret" not in line


async def test_ctrl_c_leaves_nothing_running_and_keeps_what_was_in_redis(
    env: dict[str, str], tmp_path: Path
) -> None:
    async with running(env) as first:
        with redis.Redis.from_url(first.redis_url) as client:
            client.set("accepted", "job")

        assert await first.end_with(signal.SIGINT) == 0
        assert left_running(tmp_path) == {}

    async with running(env) as again:
        with redis.Redis.from_url(again.redis_url) as client:
            assert client.get("accepted") == b"job"


async def test_a_second_run_on_the_same_data_is_refused_and_harms_nothing(
    env: dict[str, str],
) -> None:
    async with running(env) as first:
        line = refusal(env | free_ports())

        assert f"another Darkroom runs on the data in {env['DATA_DIR']}" in line
        assert f"kill {first.process.pid}" in line
        assert await first.end_with(signal.SIGTERM) == 0


async def test_a_service_that_dies_takes_everything_down(
    env: dict[str, str], tmp_path: Path
) -> None:
    async with running(env) as suite:
        for pid, command in left_running(tmp_path).items():
            if "services.imaging.main" in command:
                os.kill(pid, signal.SIGKILL)

        assert await suite.has_ended() != 0
        assert left_running(tmp_path) == {}
