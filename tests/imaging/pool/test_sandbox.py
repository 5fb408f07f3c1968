"""The sandbox of a pool process: what it refuses, and what it reports as missing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.errors import WorkerCrashed
from services.imaging.pool.executor import Executor
from services.imaging.pool.process import Program
from services.imaging.pool.sandbox import landlock, limits
from services.imaging.settings import ImagingSettings
from tests.imaging.pool.acting_child import Act, done_by

pytestmark = pytest.mark.skipif(
    landlock.version() < landlock.SIGNALS_SINCE, reason="the kernel lacks a part of the sandbox"
)

REFUSED = {"Permission denied", "Operation not permitted"}


async def attack(*targets: str) -> list[str]:
    """Return the errors of a pool process that does these, or "done"."""
    settings = ImagingSettings(slots=1)
    executor = Executor(settings, waiting=2, program=Program("tests.imaging.pool.acting_child"))
    await executor.start()
    try:
        return [(await done_by(executor, Act(action="attack", target=one))).text for one in targets]
    finally:
        await executor.stop()


async def test_only_packages_and_libraries_can_be_read_and_nothing_written(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.touch()
    *refused, code, library = await attack(
        "read /etc/passwd",
        f"read {secret}",
        f"write {secret}",
        f"write {tmp_path / 'new'}",
        f"list {tmp_path}",
        f"change_mode {secret}",
        f"change_times {secret}",
        f"read /proc/{os.getpid()}/environ",
        f"read {Path(__file__)}",
        f"read {Path(landlock.__file__)}",
        f"list {Path(os.__file__).parent}",
    )
    assert set(refused) <= REFUSED, refused
    assert (code, library) == ("done", "done")
    assert not (tmp_path / "new").exists()


async def test_no_program_is_executed_no_process_started_and_none_outside_signalled() -> None:
    *refused, thread = await attack(
        f"execute {sys.executable}",
        "execute /bin/true",
        "execute_memory",
        f"kill {os.getpid()}",
        f"limit {os.getpid()}",
        "share_memory",
        "fork",
        "thread",
    )
    assert set(refused) <= REFUSED, refused
    assert thread == "done"


async def test_no_socket_is_opened_and_no_file_sent() -> None:
    refused = await attack(
        "socket AF_INET SOCK_STREAM",
        "socket AF_INET SOCK_DGRAM",
        "socket AF_INET6 SOCK_RAW",
        "socket AF_UNIX SOCK_STREAM",
        "socket AF_NETLINK SOCK_RAW",
        "pair SOCK_STREAM",
        "pair SOCK_DGRAM",  # sends to sockets with a path, such as /dev/log
        "send_a_file",
    )
    assert set(refused) <= REFUSED, refused


async def test_a_process_that_uses_more_cpu_than_its_call_may_is_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # One second of CPU, which may take many seconds on a busy machine.
    monkeypatch.setattr("services.imaging.pool.executor._CPU_MARGIN", -49)
    executor = Executor(
        ImagingSettings(slots=1), waiting=2, program=Program("tests.imaging.pool.acting_child")
    )
    await executor.start()
    try:
        with pytest.raises(WorkerCrashed, match="by SIGXCPU"):
            await executor.run(Act(action="spin"), timeout=50)
    finally:
        await executor.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize(
    ("readable", "ids", "is_root"),
    [("/usr/lib", "65534 65534 65534", False), ("/root", "0 0 0", True)],
)
def test_root_becomes_nobody_where_nobody_can_read_the_packages(
    readable: str, ids: str, is_root: bool
) -> None:
    code = f"""
from pathlib import Path
from services.imaging.pool.sandbox.user import leave_root
print(leave_root([Path({readable!r})]))
print(Path("/proc/self/status").read_text())
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    status = dict(line.split(":", 1) for line in run.stdout.splitlines()[1:] if ":" in line)
    assert run.stdout.startswith(f"{is_root}\n")
    assert " ".join(status["Uid"].split()[:3]) == ids
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0


def test_a_process_knows_its_memory() -> None:
    assert 10 < limits.resident() < limits.address_space() >> 20
