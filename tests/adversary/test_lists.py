"""Attacks by lists of jobs whose records are as large as a client can make them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from contracts.jobs import MAX_VARIANTS
from contracts.operations.pipeline import MAX_OPERATIONS
from tests.adversary.conftest import Record
from tests.adversary.watched_gateway import HealthCheck
from tests.attempts import attempts
from tests.imaging.pictures import encoded, scenery
from tests.processes import Service, faststream, valkey

JOBS, READERS = 40, 8


@pytest.fixture
def gateway() -> Iterator[Service]:
    """A gateway without workers: its jobs stay open."""
    with valkey() as server, faststream("gateway", str(server.connection_url)) as service:
        yield service


def peak_of(service: Service) -> int:
    """Return the MiB of memory that a service has had at most."""
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) >> 10


@pytest.mark.serial
@pytest.mark.timeout(180)
def test_long_lists_of_large_jobs_stop_nobody(gateway: Service, record_attack: Record) -> None:
    variant = {"operations": [{"op": "text", "text": "a"}] * MAX_OPERATIONS}
    with httpx.Client(base_url=gateway.url, timeout=60) as client:
        small = client.post("/v1/jobs", content=encoded(scenery(40, 30), "PNG")).json()
        image = small["source"]["key"]
        new = {"source": {"image": image}, "variants": [variant] * MAX_VARIANTS}
        for _ in range(JOBS - 1):
            client.post("/v1/jobs", json=new).raise_for_status()
        before = peak_of(gateway)
        for attempt in attempts():
            with HealthCheck(gateway.url) as health, ThreadPoolExecutor(READERS) as pool:
                lists = list(pool.map(client.get, ["/v1/jobs?limit=1000"] * READERS))
            assert {len(each.json()["jobs"]) for each in lists} == {JOBS}
            with attempt:
                assert health.longest < 1
        size = len(lists[0].content) / 1e6
    grown = peak_of(gateway) - before

    assert grown < 64
    record_attack(
        f"{READERS} lists of {JOBS} jobs of 335 KB, the largest ones there can be",
        "one list of 100 such jobs took 370 MB, and the health check took 1.7 s",
        f"lists of {size:.0f} MB; {grown} MiB more; the slowest health check took "
        f"{health.longest * 1000:.0f} ms",
    )
