"""Pool processes that were taken over, or got too much: their reach, their files, their end."""

import os
import signal
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from PIL import Image

from contracts.errors import WorkerCrashed
from services.imaging.pool.executor import Executor
from services.imaging.pool.process import Program
from services.imaging.pool.sandbox import landlock
from services.imaging.settings import ImagingSettings
from tests.adversary.conftest import Record
from tests.imaging.pictures import encoded, quadrants
from tests.imaging.pool.acting_child import Act, done_by
from tests.processes import HTTP, Service, cpu_seconds_of, faststream, valkey, wait_until

SECRETS = {"AWS_SECRET_ACCESS_KEY": "a-secret", "DARKROOM_WEBHOOK_SECRET": "whsec_" + 40 * "a"}
SQUARE = encoded(quadrants(), "PNG")
# 0.7 s and more for each blur, on one processor.
SLOW = "op=resize:width=9000,enlarge=true&" + "op=blur:100&" * 9


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with valkey() as running:
        yield str(running.connection_url)


@pytest.fixture(scope="module")
def gateway(redis_url: str) -> Iterator[Service]:
    with faststream("gateway", redis_url) as service:
        yield service


@pytest.fixture(scope="module")
def env() -> dict[str, str]:
    return {"DARKROOM_SLOTS": "1", **SECRETS}


@pytest.fixture(scope="module")
def worker(gateway: Service, redis_url: str, env: Mapping[str, str]) -> Iterator[Service]:
    """A worker whose only pool process has little memory."""
    limits = {"DARKROOM_PROCESS_MEMORY": "700"}
    with faststream("imaging", redis_url, env={**env, **limits}) as service:
        yield service


def pool_processes(service: Service) -> set[int]:
    """Return the ids of a service's pool processes that run."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
        if parent == service.process.pid and b"services.imaging.pool.child" in command:
            found.add(int(folder.name))
    return found


def runs(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def render(gateway: Service, data: bytes, query: str) -> httpx.Response:
    return HTTP.post(f"{gateway.url}/v1/render?{query}", content=data, timeout=40)


def upload(gateway: Service, data: bytes) -> str:
    return str(HTTP.post(f"{gateway.url}/v1/images", content=data).raise_for_status().json()["id"])


def innocent(gateway: Service, number: int) -> int:
    """Return how many of so many small renders succeed."""
    return sum(
        render(gateway, SQUARE, f"op=resize:width={width}&timeout=20").is_success
        for width in range(2, 2 + number)
    )


def test_a_pool_process_knows_no_secret(worker: Service, record_attack: Record) -> None:
    [pid] = pool_processes(worker)
    variables = Path(f"/proc/{pid}/environ").read_text().split("\0")
    names = sorted(line.partition("=")[0] for line in variables if line)
    assert not {"REDIS_URL", *SECRETS} & set(names)
    assert not [line for line in variables if "secret" in line]
    record_attack(
        "a decoder with a fault reads its environment",
        "every variable of the service: Redis's URL, webhook secret, cloud credentials",
        f"{len(names)} variables, none of them secret",
    )


async def test_a_process_that_was_taken_over_reaches_nothing(record_attack: Record) -> None:
    if landlock.version() < landlock.SIGNALS_SINCE:
        pytest.skip("the kernel lacks a part of the sandbox")
    attempts = {
        "read /etc/passwd": "files",
        f"read /proc/{os.getpid()}/environ": "the service's environment",
        f"write {Path.cwd() / 'taken-over'}": "writing",
        "execute /bin/sh": "programs",
        "socket AF_INET SOCK_STREAM": "the network",
        "socket AF_INET SOCK_DGRAM": "datagrams",
        "socket AF_UNIX SOCK_STREAM": "sockets of the system",
        "pair SOCK_DGRAM": "datagrams to sockets of the system",
        "send_a_file": "open files for its service",
        f"kill {os.getpid()}": "signals",
        "fork": "processes that stay behind",
    }
    settings = ImagingSettings(slots=1)
    executor = Executor(settings, waiting=2, program=Program("tests.imaging.pool.acting_child"))
    await executor.start()
    try:
        for attempt in attempts:
            call = Act(action="attack", target=attempt)
            done = await done_by(executor, call)
            assert done.text in {"Permission denied", "Operation not permitted"}, attempt
        before = executor.processes[0].pid
        with pytest.raises(WorkerCrashed):
            await executor.run(Act(action="answer_garbage"), timeout=10)
        done = await done_by(executor, Act(action="nothing"))
        assert done.pid != before
    finally:
        await executor.stop()
    record_attack(
        "a pool process that was taken over tries to get further",
        "everything its service may do, and its answers are unpickled there",
        f"refused: {', '.join(attempts.values())}; for a malformed answer it is killed",
    )


def test_a_pool_process_holds_no_connection_but_the_one_to_its_service(
    gateway: Service, worker: Service, record_attack: Record
) -> None:
    assert render(gateway, SQUARE, "op=resize:width=9").is_success
    [pid] = pool_processes(worker)
    names = [os.readlink(one) for one in Path(f"/proc/{pid}/fd").iterdir()]
    sockets = {name for name in names if name.startswith("socket:")}
    assert len(sockets) == 1, names
    assert not [name for name in names if "memfd" in name]
    [report] = HTTP.get(f"{gateway.url}/v1/system").json()["workers"].values()
    assert not {"network", "store_user"} & set(report["sandbox_missing"].split(", "))
    record_attack(
        "a pool process that was taken over uses its connections",
        "a connection to Redis: all of it, or with a user of its own images and results",
        "one socket, which leads to its service; no network, no login, and no file of a past call",
    )


def test_a_killed_service_takes_its_busy_process_along(
    gateway: Service, worker: Service, redis_url: str, env: Mapping[str, str], record_attack: Record
) -> None:
    with faststream("imaging", redis_url, env=env) as doomed, ThreadPoolExecutor(2) as threads:
        [pid] = pool_processes(doomed)
        before = cpu_seconds_of(pid)
        # One for each worker, as equal ones would be done once; the other worker refuses or fails
        # it for its memory.
        for quality in (70, 71):
            threads.submit(render, gateway, SQUARE, f"{SLOW}&quality={quality}&timeout=8")
        wait_until(lambda: cpu_seconds_of(pid) > before + 0.3)
        doomed.signal(signal.SIGKILL)
        killed = time.monotonic()
        wait_until(lambda: not runs(pid), seconds=10, every=0.01)
        record_attack(
            "the service is killed while a pool process renders",
            "the process worked on for two minutes",
            f"the process ended after {time.monotonic() - killed:.2f} s",
        )


def test_eight_large_watermarks_leave_nothing_behind(
    gateway: Service, worker: Service, record_attack: Record
) -> None:
    large = encoded(Image.new("L", (10_000, 10_000)), "PNG", compress_level=1)
    keys = [upload(gateway, large + bytes([number])) for number in range(8)]
    operations = "&".join(f"op=watermark:image={key}" for key in keys)
    refused = render(gateway, SQUARE, operations)
    assert (refused.status_code, refused.json()["code"]) == (422, "image_too_big")
    assert "watermarks" in refused.json()["detail"]
    done = innocent(gateway, 9)
    assert done == 9
    record_attack(
        "renders with watermarks of 100 megapixels, eight in each",
        "after nine watermarks 3.9 GB stayed in the process; 9 of 9 later renders failed",
        f"422 before a pixel is decoded; {done} of 9 later renders succeeded",
    )


def test_memory_that_runs_out_is_named_and_harms_no_other_render(
    gateway: Service, worker: Service, record_attack: Record
) -> None:
    before = pool_processes(worker)
    failed = render(gateway, SQUARE, "op=resize:width=9900,height=9900,enlarge=true&format=avif")
    assert (failed.status_code, failed.json()["code"]) == (422, "out_of_memory")
    done = innocent(gateway, 9)
    assert done == 9
    assert not before & pool_processes(worker), "the process was replaced"
    record_attack(
        "a render that needs more memory than a process may have (AVIF of 98 megapixels)",
        "an error without a name, or a crash; the process stayed in the pool",
        f"out_of_memory, in a fresh process too; {done} of 9 later renders succeeded",
    )
