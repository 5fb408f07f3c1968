"""`make run`: started and stopped by signals, with the real services and a real Valkey."""

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

import httpx
import pytest
import redis

from tests.e2e.pictures import photograph
from tests.processes import free_port

ROOT = Path(__file__).resolve().parents[2]
RUNNER = (sys.executable, "-m", "devserver.local")

pytestmark = pytest.mark.timeout(180)


@dataclass(frozen=True)
class Running:
    """A development server that has announced that it is ready."""

    process: Process
    env: dict[str, str]
    redis_url: str

    async def end_with(self, number: signal.Signals) -> int:
        """Signal the whole process group, as a terminal does; return the exit code."""
        os.killpg(self.process.pid, number)
        return await self.wait()

    async def wait(self) -> int:
        """Return the exit code. Raises TimeoutError after a minute."""
        # `communicate` reads the output: a full pipe would block the process.
        await asyncio.wait_for(self.process.communicate(), 60)
        assert self.process.returncode is not None
        return self.process.returncode


@pytest.fixture
def env(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment with free ports and a data folder; kills what is left running."""
    own = ("REDIS_URL", "DARKROOM_STORE")
    others = {name: value for name, value in os.environ.items() if name not in own}
    yield others | free_ports() | {"DATA_DIR": str(tmp_path)}
    for pid in processes_of(tmp_path):
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
        printed = await asyncio.wait_for(process.stdout.readuntil(b"Ctrl-C ends everything."), 90)
        [redis_url] = re.findall(r"redis://\S+", printed.decode())
        yield Running(process, env, redis_url)
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            await asyncio.wait_for(process.communicate(), 60)


def processes_of(data: Path) -> dict[int, str]:
    """Return the command lines, by process id, of the processes with this DATA_DIR."""
    variable = f"DATA_DIR={data}".encode()
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if variable in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
    return found


def refusal(env: dict[str, str]) -> str:
    """Run the server where it cannot run; return the one line that it prints to stderr."""
    refused = subprocess.run(
        RUNNER, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert refused.returncode == 1
    assert refused.stdout == ""
    [line] = refused.stderr.splitlines()
    return line


@pytest.mark.parametrize("variable", ["PORT", "IMAGING_PORT"])
def test_a_port_in_use_is_reported_before_anything_starts(
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
def test_a_wrong_variable_is_reported_without_its_value(
    variable: str, value: str, complaint: str, env: dict[str, str]
) -> None:
    line = refusal(env | {variable: value})

    assert complaint in line
    assert "secret" not in line


async def test_ctrl_c_leaves_no_process_and_keeps_images_and_the_data_of_redis(
    env: dict[str, str], tmp_path: Path
) -> None:
    images = f"http://127.0.0.1:{env['PORT']}/v1/images"
    async with running(env) as first:
        with redis.Redis.from_url(first.redis_url) as client:
            client.set("accepted", "job")
        async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
            image = (await http.post(images, content=photograph())).json()["id"]

        assert await first.end_with(signal.SIGINT) == 0
        assert processes_of(tmp_path) == {}

    async with running(env) as again:
        with redis.Redis.from_url(again.redis_url) as client:
            assert client.get("accepted") == b"job"
        async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
            assert (await http.get(f"{images}/{image}")).content == photograph()
    assert list((tmp_path / "store" / "default" / "kept").rglob(image))


async def test_a_second_server_on_the_same_data_is_refused(
    env: dict[str, str],
) -> None:
    async with running(env) as first:
        line = refusal(env | free_ports())

        assert f"another Darkroom runs on the data in {env['DATA_DIR']}" in line
        assert f"kill {first.process.pid}" in line
        assert await first.end_with(signal.SIGTERM) == 0


async def test_a_service_that_dies_ends_everything(env: dict[str, str], tmp_path: Path) -> None:
    async with running(env) as suite:
        for pid, command in processes_of(tmp_path).items():
            if "services.imaging.main" in command:
                os.kill(pid, signal.SIGKILL)

        assert await suite.wait() != 0
        assert processes_of(tmp_path) == {}
