"""The watch over Redis, on real servers; an old Redis is a few lines that speak its protocol."""

import asyncio
import socketserver
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from redis import Redis
from structlog.testing import capture_logs

from contracts.errors import StoreFull, StoreVolatile
from services.runtime.capacity import Capacity
from services.runtime.redis import watch
from services.runtime.redis.client import make_redis
from services.runtime.redis.server_facts import facts_from
from services.runtime.redis.watch import StoreRefused, StoreWatch
from services.runtime.settings import RuntimeSettings
from services.runtime.telemetry.metrics import Metrics
from tests.processes import until, valkey


@pytest.fixture
def url() -> Iterator[str]:
    with valkey() as server:
        yield str(server.connection_url)


@pytest.fixture
def plain(url: str) -> Iterator[Redis]:
    with Redis.from_url(url) as redis:
        yield redis


@asynccontextmanager
async def watching(url: str, *, allow_volatile: bool = True) -> AsyncIterator[StoreWatch]:
    redis = make_redis(RuntimeSettings(redis_url=url))
    store = StoreWatch(redis, Metrics(), allow_volatile=allow_volatile)
    try:
        await store.start()
        yield store
    finally:
        await store.stop()
        await redis.close()


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "INTERVAL", 0.05)


@pytest.mark.parametrize(
    ("persistence", "durable"),
    [
        ({"appendonly": "no", "save": ""}, False),
        ({"appendonly": "no", "save": "3600 1"}, True),
        ({"appendonly": "yes", "save": ""}, True),
    ],
)
async def test_jobs_need_an_append_only_file_or_snapshots(
    url: str, plain: Redis, persistence: dict[str, str], durable: bool
) -> None:
    for option, value in persistence.items():
        plain.config_set(option, value)

    async with watching(url, allow_volatile=False) as strict:
        assert strict.durable is durable
        if not durable:
            with pytest.raises(StoreVolatile, match="appendonly"):
                strict.check_durable()
    async with watching(url) as lenient:
        lenient.check_durable()
    plain.config_set("appendonly", "no")  # else the server takes five seconds to stop


async def test_the_probe_leaves_no_key_behind(url: str, plain: Redis) -> None:
    async with watching(url) as store:
        assert store.state.unwritable is None
    assert plain.keys("*") == []


async def test_no_allowance_covers_an_evicting_policy(url: str, plain: Redis) -> None:
    async with watching(url) as store:
        plain.config_set("maxmemory-policy", "allkeys-lfu")
        await until(lambda: "allkeys-lfu" in store.state.refused)
        with pytest.raises(StoreVolatile, match="allkeys-lfu"):
            store.check_durable()
    with pytest.raises(StoreRefused, match="noeviction"):
        async with watching(url):
            pass


async def test_a_full_memory_pauses_and_room_resumes(url: str, plain: Redis) -> None:
    capacity = Capacity(1)
    async with watching(url) as store:
        store.pauses(capacity)
        with capture_logs() as logs:
            plain.config_set("maxmemory", "1mb")
            await until(lambda: capacity.paused)
            with pytest.raises(StoreFull, match="memory"):
                store.check_writable()
            assert store.state.memory > 1
            assert (store.state.maxmemory, store.state.used_memory > 1 << 20) == (1 << 20, True)
            await asyncio.sleep(0.2)
            plain.config_set("maxmemory", "0")
            await asyncio.wait_for(capacity.wait(), 5)
    assert [line["event"] for line in logs] == [
        "redis refuses writes",
        "redis accepts writes again",
    ]


async def test_a_refused_result_pauses_longer_each_time_although_the_probe_fits(url: str) -> None:
    pauses = []
    async with watching(url) as store:
        for _ in range(3):
            started = asyncio.get_running_loop().time()
            store.report_full(StoreFull("A large result did not fit."))
            await until(lambda: store.state.unwritable is None)
            pauses.append(asyncio.get_running_loop().time() - started)
    # The lower bounds alone: how much later the watch looks depends on the machine.
    assert [pause >= watch.INTERVAL * 2**turn for turn, pause in enumerate(pauses)] == [True] * 3


async def test_a_pause_for_the_store_of_images_blames_no_redis(url: str) -> None:
    capacity = Capacity(1)
    async with watching(url) as store:
        store.pauses(capacity)
        store.pause(longest=4)
        assert capacity.paused
        assert store.state.unwritable is None
        await until(lambda: not capacity.paused, seconds=2 * watch.INTERVAL + 5)


async def test_a_replica_accepts_no_writes_and_is_named(url: str, plain: Redis) -> None:
    async with watching(url) as store:
        plain.replicaof("127.0.0.1", 1)
        await until(lambda: store.state.unwritable is not None)
        assert "replica" in str(store.state.unwritable)


class OldRedis(socketserver.StreamRequestHandler):
    """Answers HELLO and INFO, as a Redis 6.2 does."""

    INFO = b"# Server\r\nredis_version:6.2.14\r\naof_enabled:1\r\n"

    def handle(self) -> None:
        info = b"$%d\r\n%b\r\n" % (len(self.INFO), self.INFO)
        while line := self.rfile.readline():
            rest = [self.rfile.readline() for _ in range(2 * int(line[1:]))]
            self.wfile.write({b"HELLO": b"%0\r\n", b"INFO": info}.get(rest[1].strip(), b"+OK\r\n"))


async def test_a_redis_before_7_is_refused_by_its_version() -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), OldRedis) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        try:
            with pytest.raises(StoreRefused, match=r"6\.2\.14 is too old: Redis 7\.0 or later"):
                async with watching(f"redis://127.0.0.1:{server.server_address[1]}"):
                    pass
        finally:
            await asyncio.sleep(
                0.05
            )  # the event loop closes the connection, and then ends `handle`
            server.shutdown()
            serving.join()


def test_fields_that_a_server_leaves_out_are_harmless() -> None:
    facts = facts_from("redis_version:7.2.4\r\n")

    assert (facts.old, facts.policy, facts.memory) == (False, "noeviction", 0.0)
