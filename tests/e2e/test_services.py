"""The services as processes: started in any order, stopped, killed, and run several times."""

import io
import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.attempts import attempts
from tests.e2e.pictures import photograph
from tests.processes import (
    BIN,
    HTTP,
    MortalValkey,
    Service,
    cpu_seconds_of,
    faststream,
    free_port,
    mortal_valkey,
    wait_until,
)

pytestmark = pytest.mark.timeout(180)

SLOW = {"op": ["blur:100"] * 8, "format": "png"}
"""A pipeline that takes seconds on a large photograph."""


def render(gateway: Service, body: bytes, **query: Any) -> httpx.Response:
    """Render now, in gray unless `query` has another operation."""
    params = {"op": "grayscale", **query}
    return HTTP.post(f"{gateway.url}/v1/render", params=params, content=body, timeout=70)


def pool_processes(service: Service) -> list[int]:
    """Return the process ids of the pool."""
    listed = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(service.process.pid)],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.splitlines()
    return [int(line.split()[0]) for line in listed if "services.imaging.pool.child" in line]


def is_served(gateway: Service, transport: str) -> bool:
    return render(gateway, photograph(), transport=transport, timeout=1).status_code == 200


def has_printed(service: Service, text: str) -> bool:
    return text in service.output()


def busy(gateway: Service) -> int:
    """Return how many slots of all workers are taken."""
    workers = HTTP.get(f"{gateway.url}/v1/system").json()["workers"]
    return sum(int(worker["busy"]) for worker in workers.values())


def are_ready(*services: Service) -> bool:
    return all(service.ready() for service in services)


def has_other_processes(imaging: Service, before: set[int]) -> bool:
    return set(pool_processes(imaging)) != before


@pytest.mark.serial
def test_services_started_before_redis_wait_for_it_and_report_unready(tmp_path: Path) -> None:
    for attempt in attempts():
        with (
            mortal_valkey(tmp_path, running=False) as server,
            faststream("imaging", server.url, ready=False) as imaging,
            faststream("gateway", server.url, ready=False) as gateway,
        ):
            for service in (imaging, gateway):
                wait_until(partial(has_printed, service, "waiting for redis"))
            assert HTTP.get(f"{gateway.url}/health/live").status_code == 200
            assert HTTP.get(f"{gateway.url}/health/ready").status_code == 503
            refused = render(gateway, photograph())
            assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
            server.start()
            with attempt:
                wait_until(partial(are_ready, imaging, gateway), seconds=2)
                assert render(gateway, photograph()).status_code == 200


@pytest.mark.serial
def test_services_recover_within_two_seconds_after_redis_was_down(
    mortal: MortalValkey,
) -> None:
    with faststream("imaging", mortal.url) as imaging, faststream("gateway", mortal.url) as gateway:
        for attempt in attempts():
            wait_until(partial(is_served, gateway, "stream"))
            mortal.kill()
            wait_until(lambda: not gateway.ready() and not imaging.ready())
            down = time.monotonic()
            refused = render(gateway, photograph())
            assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
            assert int(refused.headers["retry-after"]) > 0
            took = time.monotonic() - down
            # Time is the subject: FastStream itself pauses for five seconds after a lost
            # connection.
            time.sleep(max(0.0, 6 - (time.monotonic() - down)))
            mortal.start()
            up = time.monotonic()
            with attempt:
                for transport in ("channel", "list", "stream"):
                    served = partial(is_served, gateway, transport)
                    wait_until(served, seconds=2 - (time.monotonic() - up))
                assert took < 1


def test_a_crashed_pool_process_fails_one_request_with_its_own_code(
    gateway: Service, imaging: Service
) -> None:
    with ThreadPoolExecutor(1) as thread:
        doomed = thread.submit(render, gateway, photograph(4000, 3000), **SLOW, timeout=30)
        wait_until(lambda: busy(gateway) == 1, seconds=10)
        while not doomed.done():
            for pid in pool_processes(imaging):
                # It renders: the start takes less.
                if cpu_seconds_of(pid) > 1:
                    os.kill(pid, signal.SIGKILL)
            wait([doomed], timeout=0.1)
        crashed = doomed.result()
    assert (crashed.status_code, crashed.json()["code"]) == (502, "worker_crashed")
    assert "SIGKILL" in crashed.json()["detail"]
    wait_until(lambda: len(pool_processes(imaging)) == os.cpu_count())
    assert render(gateway, photograph()).status_code == 200


@pytest.mark.serial
def test_a_render_is_killed_at_its_deadline_and_the_pool_recovers(
    gateway: Service, imaging: Service
) -> None:
    for attempt in attempts():
        before = set(pool_processes(imaging))
        started = time.monotonic()
        late = render(gateway, photograph(4000, 3000), **SLOW, timeout=1)
        took = time.monotonic() - started
        assert (late.status_code, late.json()["code"]) == (504, "deadline_exceeded")
        wait_until(partial(has_other_processes, imaging, before))
        assert render(gateway, photograph(), timeout=10).status_code == 200
        with attempt:
            assert took < 3


def test_both_services_run_in_two_processes_each(mortal: MortalValkey) -> None:
    with (
        faststream("imaging", mortal.url, "--workers", "2"),
        faststream("gateway", mortal.url, "--workers", "2") as gateway,
    ):

        def has_two_workers() -> bool:
            return len(HTTP.get(f"{gateway.url}/v1/system").json().get("workers", ())) == 2

        wait_until(has_two_workers, seconds=30)

        def all_are_answered() -> bool:
            answers = [
                render(gateway, photograph(seed=n), transport=transport)
                for n in range(10)
                for transport in ("channel", "list", "stream")
            ]
            statuses = {answer.status_code for answer in answers}
            # A busy machine may refuse a render for a moment; any other status is a bug.
            assert statuses <= {200, 503}, [a.text for a in answers if a.status_code != 200]
            return statuses == {200}

        # Nothing tells when the second process of the gateway has started.
        wait_until(all_are_answered, seconds=30)


def test_the_gateway_runs_under_uvicorn(imaging: Service, redis_url: str) -> None:
    port = free_port()
    command = [str(BIN / "uvicorn"), "services.gateway.main:app", "--port", str(port)]
    service = Service(command, port=port, redis_url=redis_url)
    try:
        service.wait_ready()
        answer = render(service, photograph())
        assert Image.open(io.BytesIO(answer.content)).mode == "L"
    finally:
        service.close()


@pytest.mark.parametrize("service", ["gateway", "imaging"])
def test_faststream_generates_the_document_with_all_replies(service: str, tmp_path: Path) -> None:
    out = tmp_path / "asyncapi.yaml"
    command = [BIN / "faststream", "docs", "gen", f"services.{service}.main:app", "--yaml"]
    subprocess.run([*map(str, command), "--out", str(out)], check=True, capture_output=True)
    assert out.read_text() == Path("asyncapi.yaml").read_text()
    assert "reply:" in out.read_text()
