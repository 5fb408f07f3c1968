"""Redis is full, evicts, keeps nothing, or can't write its disk: what is refused, what goes on."""

import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from redis import Redis
from redis.exceptions import ResponseError

from tests.adversary.conftest import Record
from tests.imaging.pictures import encoded, scenery
from tests.processes import HTTP, Service, faststream, mortal_valkey, valkey, wait_until

STRICT = {
    "DARKROOM_ALLOW_VOLATILE": "false",
    "DARKROOM_SLOTS": "1",
    "DARKROOM_HEARTBEAT_INTERVAL": "0.2",
    "DARKROOM_HEARTBEAT_TTL": "3",
}
PNG = encoded(scenery(90, 60), "PNG")


class Suite:
    """A durable Valkey, a gateway and one imaging service."""

    def __init__(self, redis: Redis, gateway: Service, imaging: Service) -> None:
        self.redis, self.gateway, self.imaging = redis, gateway, imaging

    def set(self, option: str, value: str) -> None:
        self.redis.config_set(option, value)

    def ready(self) -> bool:
        return self.gateway.ready() and self.imaging.ready()


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    with ExitStack() as stack:
        server = stack.enter_context(mortal_valkey(tmp_path_factory.mktemp("valkey")))
        redis = stack.enter_context(Redis.from_url(server.url))
        imaging = stack.enter_context(faststream("imaging", server.url, env=STRICT))
        yield Suite(
            redis, stack.enter_context(faststream("gateway", server.url, env=STRICT)), imaging
        )


def health(service: Service) -> dict[str, str]:
    checks: dict[str, str] = HTTP.get(f"{service.url}/health/ready").json()
    return checks


def submit(gateway: Service, operation: str = "grayscale") -> httpx.Response:
    return HTTP.post(f"{gateway.url}/v1/jobs", params={"op": operation}, content=PNG)


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


def test_a_full_memory_is_507_and_no_missing_worker(suite: Suite, record_attack: Record) -> None:
    gateway = suite.gateway.url
    image = HTTP.post(f"{gateway}/v1/images", content=PNG).json()["id"]
    suite.set("maxmemory", "1mb")
    wait_until(lambda: not suite.gateway.ready() and not suite.imaging.ready())
    time.sleep(3.5)  # longer than a heartbeat counts

    answers = [
        HTTP.get(f"{gateway}/v1/images/{image}/render?op=sepia"),
        HTTP.post(f"{gateway}/v1/images", content=encoded(scenery(91, 60), "PNG")),
        submit(suite.gateway),
    ]
    checks = health(suite.imaging)
    suite.set("maxmemory", "0")
    wait_until(suite.ready)

    assert [refusal(answer) for answer in answers] == [(507, "store_full")] * 3
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers)
    assert (checks["redis"], checks["writes"]) == ("ok", "Redis's memory is full.")
    assert submit(suite.gateway).status_code == 202
    record_attack(
        "Fill Redis up to its maxmemory, then upload, submit and render for 7 s.",
        "503 unavailable, then 503 no_workers after 4 s; /health/ready stayed 200",
        "3 of 3 are 507 store_full; /health/ready is 503 and names the full memory",
    )


def test_accepted_jobs_wait_for_room_and_are_not_tried_again_and_again(
    suite: Suite, record_attack: Record
) -> None:
    suite.imaging.signal(signal.SIGSTOP)
    before = len(suite.imaging.output())
    accepted = [submit(suite.gateway, f"rotate:{degrees}") for degrees in range(1, 21)]
    suite.set("maxmemory", "1mb")
    suite.imaging.signal(signal.SIGCONT)
    time.sleep(4)

    def states() -> Counter[str]:
        addresses = [suite.gateway.url + job.headers["location"] for job in accepted]
        return Counter(HTTP.get(address).json()["state"] for address in addresses)

    lines = suite.imaging.output()[before:].splitlines()
    refused = [line for line in lines if "OOM" in line or "memory is full" in line]
    waiting = states()
    suite.set("maxmemory", "0")
    wait_until(lambda: states() == {"succeeded": 20}, seconds=15)

    assert waiting == {"queued": 20}
    assert len(refused) < 10, refused
    record_attack(
        "Fill Redis while 20 accepted jobs wait.",
        "46 failures in 14 s in the log of one worker, and 15 of 20 jobs running in vain",
        f"{len(refused)} lines in 4 s, 20 of 20 jobs queued, and done after there is room",
    )


def test_an_evicting_policy_turns_readiness_red_and_refuses_jobs(
    suite: Suite, record_attack: Record
) -> None:
    suite.set("maxmemory-policy", "allkeys-lru")
    wait_until(lambda: not suite.gateway.ready() and not suite.imaging.ready())

    refused = submit(suite.gateway)
    rendered = HTTP.post(f"{suite.gateway.url}/v1/render?op=sepia", content=PNG)
    checks = health(suite.gateway)
    suite.set("maxmemory-policy", "noeviction")
    wait_until(suite.ready)

    assert refusal(refused) == (503, "store_volatile")
    assert "allkeys-lru" in refused.json()["detail"]
    assert "allkeys-lru" in checks["eviction"]
    assert rendered.status_code == 200
    assert submit(suite.gateway).status_code == 202
    record_attack(
        "Set maxmemory-policy to allkeys-lru while 110 jobs are submitted.",
        "110 of 110 accepted, 65 of them lost (404)",
        "every job is refused with 503 store_volatile; /health/ready is 503",
    )


def test_services_do_not_start_with_a_redis_that_evicts(record_attack: Record) -> None:
    with (
        valkey() as server,
        Redis.from_url(str(server.connection_url)) as redis,
        ExitStack() as stack,
    ):
        redis.config_set("maxmemory-policy", "volatile-ttl")
        services = [
            stack.enter_context(faststream(app, str(server.connection_url), ready=False))
            for app in ("gateway", "imaging")
        ]
        codes = [service.process.wait(20) for service in services]
        outputs = [service.output() for service in services]

    assert codes == [1, 1]
    for output in outputs:
        assert "Traceback" not in output
        assert "maxmemory-policy is volatile-ttl" in output.splitlines()[-1]
    record_attack(
        "Start gateway and imaging with a Redis that evicts.",
        "both start, and are ready",
        "both end with exit code 1, and one line that names the policy",
    )


def begins_save(redis: Redis) -> bool:
    """Have the server save; return False while it does so by itself."""
    try:
        return bool(redis.bgsave())
    except ResponseError:
        return False


def test_without_persistence_or_with_a_full_disk_nothing_durable_is_accepted(
    tmp_path: Path, record_attack: Record
) -> None:
    with (
        valkey(folder=tmp_path) as server,
        Redis.from_url(str(server.connection_url)) as redis,
        faststream("gateway", str(server.connection_url), env=STRICT) as gateway,
    ):
        assert submit(gateway).status_code == 202
        redis.config_set("appendonly", "no")
        redis.config_set("save", "")
        wait_until(lambda: health(gateway)["persistence"] != "ok")
        refused = submit(gateway), HTTP.post(f"{gateway.url}/v1/dead-letters/{'0' * 32}/requeue")
        assert gateway.ready(), "renders need no persistence"

        redis.config_set("save", "1 1")
        wait_until(lambda: submit(gateway).status_code == 202)
        snapshot = tmp_path / "dump.rdb"
        snapshot.unlink(missing_ok=True)
        snapshot.mkdir()  # so that no file can take this name
        wait_until(lambda: begins_save(redis))
        wait_until(lambda: not gateway.ready())
        full, checks = submit(gateway), health(gateway)
        snapshot.rmdir()
        wait_until(lambda: begins_save(redis))
        wait_until(lambda: submit(gateway).status_code == 202)

    assert [refusal(answer) for answer in refused] == [(503, "store_volatile")] * 2
    assert "appendonly" in refused[0].json()["detail"]
    assert refusal(full) == (507, "store_full")
    assert "disk" in full.json()["detail"]
    assert (checks["redis"], checks["inbox"]) == ("ok", "ok")
    assert "disk" in checks["writes"]
    record_attack(
        "Restart a Redis without persistence after 10 jobs; let a Redis lose its disk.",
        "10 of 10 accepted jobs lost; 503 unavailable, and /health/ready blamed the connection",
        "jobs are refused with 503 store_volatile; 507 store_full, and the disk is named",
    )
