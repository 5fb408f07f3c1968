"""The copy of all keys in a process: its age, its renewal, and a Redis that is silent."""

import asyncio
import gc
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from contracts.access.keys import KeyScope
from contracts.errors import Unavailable
from services.gateway.access.caller import Caller
from services.gateway.access.keys import keyring
from services.gateway.access.keys.keyring import Keyring, KeysOutdated
from services.gateway.access.keys.records import KeyRecord
from services.gateway.access.keys.token import Token, new_token
from services.runtime.redis.client import RedisClient


class FakeRedis:
    """The keys of a Redis, which counts questions, and can fall silent."""

    def __init__(self) -> None:
        self.texts: dict[bytes, bytes] = {}
        self.version = b"0"
        self.asked = 0
        self.answers = asyncio.Event()
        self.answers.set()
        self.is_lost = False

    async def execute(self, *command: str) -> Any:
        self.asked += 1
        await self.answers.wait()
        if self.is_lost:
            raise ConnectionError
        return self.version

    async def pipeline(self, commands: Sequence[Any]) -> Any:
        return self.version, [part for pair in self.texts.items() for part in pair], None

    def add(self, token: Token, text: bytes | None = None) -> None:
        record = KeyRecord(
            id=token.id,
            name="test",
            project="website",
            scopes=frozenset({KeyScope.RENDER}),
            digest=token.digest.hex(),
            created=datetime.now(UTC),
        )
        self.texts[token.id.encode()] = text or record.model_dump_json().encode()
        self.version += b"1"


@pytest.fixture
def redis() -> FakeRedis:
    return FakeRedis()


@pytest.fixture
def ring(redis: FakeRedis) -> Keyring:
    return Keyring(cast(RedisClient, redis), None)


async def found(ring: Keyring, token: Token) -> Caller | None:
    def look(known: Keyring) -> Caller | None:
        return known.caller_with(token.text)

    try:
        return ring.find(look)
    except KeysOutdated:
        await ring.read_again()
        return ring.find(look, newest=True)


async def test_a_key_that_is_known_asks_nothing_until_the_lease_is_over(
    ring: Keyring, redis: FakeRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring, "LEASE", 60.0)
    token = new_token()
    redis.add(token)
    assert await found(ring, token)
    before = redis.asked
    assert await found(ring, token)
    assert redis.asked == before
    monkeypatch.setattr(keyring, "LEASE", 0.0)
    assert await found(ring, token)
    assert redis.asked == before + 1


async def test_a_key_of_a_moment_ago_is_looked_for_and_a_wiped_redis_forgets_all(
    ring: Keyring, redis: FakeRedis
) -> None:
    first, second = new_token(), new_token()
    redis.add(first)
    assert await found(ring, first)
    redis.add(second)
    assert await found(ring, second)
    redis.texts.clear()
    redis.version = b""
    await ring.read_again()
    assert await found(ring, first) is None
    assert await found(ring, second) is None


async def test_a_record_that_nobody_can_read_is_no_key_and_spoils_no_other(
    ring: Keyring, redis: FakeRedis
) -> None:
    broken, whole = new_token(), new_token()
    redis.add(broken, b'{"id": "of a later version"}')
    redis.add(whole)
    assert await found(ring, whole)
    assert await found(ring, broken) is None


async def test_a_silent_redis_refuses_every_key_once_the_lease_is_over(
    ring: Keyring, redis: FakeRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring, "LEASE", 60.0)
    token = new_token()
    redis.add(token)
    assert await found(ring, token)
    redis.answers.clear()
    assert await found(ring, token)
    monkeypatch.setattr(keyring, "LEASE", 0.0)
    monkeypatch.setattr(keyring, "_PATIENCE", 0.02)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await found(ring, token)
    redis.answers.set()
    assert await found(ring, token)
    await ring.stop()


async def test_no_text_of_a_key_shows_its_secret() -> None:
    token = new_token()
    assert token.text.startswith(f"dk_{token.id}_")
    assert token.text.split("_", 2)[2] not in repr(token)


async def test_a_read_that_fails_after_all_have_left_is_no_error(
    redis: FakeRedis, ring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, error: errors.append(error))
    monkeypatch.setattr(keyring, "_PATIENCE", 0.01)
    redis.answers.clear()
    with pytest.raises(Unavailable):
        await ring.read()
    redis.is_lost = True
    redis.answers.set()
    assert ring._reading is not None
    await asyncio.wait([ring._reading])
    ring._reading = None
    gc.collect()
    assert not errors
