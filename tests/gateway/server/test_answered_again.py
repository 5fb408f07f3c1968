"""A head that was read before gives no answer that its request may not have any more."""

import time
from pathlib import Path
from typing import Any, cast

import pytest

from services.gateway.delivery.purges import PurgeNews
from services.gateway.front import Front
from services.gateway.server import at_once
from services.gateway.server.whole_answers import WholeAnswer
from services.runtime.redis.client import make_redis
from tests.gateway.access.gateways import settings_of
from tests.gateway.access.signed.sites import RENDER
from tests.gateway.server.test_at_once import KEY, SIGNED, asked, front_of, read, scope_of
from tests.processes import until

KEPT = f"{RENDER}?op=sepia"


class Known:
    """A request whose head was read, and whose answer is in memory."""

    def __init__(self, front: Front, url: str, headers: dict[str, str]) -> None:
        again = front.at_once.remember(scope_of(url, headers))
        assert again is not None
        self._again = again

    def asked(self) -> WholeAnswer | None:
        """Return its answer; None if it has to be read."""
        return self._again(cast(Any, object()))


async def known(front: Front, url: str, headers: dict[str, str]) -> Known:
    for _ in range(2):
        await asked(front, url, headers)
    found = Known(front, url, headers)
    # Not from memory while this process has yet to hear of purges.
    await until(lambda: found.asked() is not None)
    return found


async def test_an_answer_is_fresh_each_time(redis_url: str, tmp_path: Path) -> None:
    async with front_of(redis_url, tmp_path) as front:
        request = await known(front, KEPT, KEY)
        answers = [request.asked() for _ in range(3)]
        ids = {read(one)[1][b"x-correlation-id"] for one in answers if one is not None}
        assert len(ids) == 3


async def test_a_purged_answer_is_gone(redis_url: str, tmp_path: Path) -> None:
    redis = make_redis(settings_of(redis_url))
    async with front_of(redis_url, tmp_path) as front:
        request = await known(front, KEPT, KEY)
        news = PurgeNews(redis, on_purge=lambda image: None, on_loss=lambda: None)
        await news.announce("1" * 64)
        await until(lambda: request.asked() is None)
    await redis.close()


async def test_a_signature_ends(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with front_of(redis_url, tmp_path, anonymous="signed") as front:
        request = await known(front, SIGNED, {})
        later = time.time() + 86_400
        monkeypatch.setattr(time, "time", lambda: later)
        assert request.asked() is None


async def test_keys_that_nobody_confirms_end(redis_url: str, tmp_path: Path) -> None:
    async with front_of(redis_url, tmp_path) as front:
        request = await known(front, KEPT, KEY)
    # The gateway has stopped: it reads the keys no more, and hears of no purge. The leases of both
    # have their length of a second again.
    await until(lambda: request.asked() is None)


async def test_a_limit_counts_each_answer(redis_url: str, tmp_path: Path) -> None:
    async with front_of(redis_url, tmp_path, rate_calls=40, rate_calls_window=1) as front:
        for _ in range(2):
            await asked(front, KEPT, KEY)
        request = Known(front, KEPT, KEY)
        answers = [request.asked() for _ in range(100)]
        assert sum(answer is not None for answer in answers) <= 10


async def test_traces_of_an_sdk_have_each_request(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with front_of(redis_url, tmp_path) as front:
        request = await known(front, KEPT, KEY)
        monkeypatch.setattr(at_once, "has_sdk", lambda: True)
        assert request.asked() is None


async def test_no_check_sees_the_client_of_another_request(redis_url: str, tmp_path: Path) -> None:
    async with front_of(redis_url, tmp_path) as front:
        await known(front, KEPT, KEY)
        again = front.at_once.remember(scope_of(KEPT, KEY))
        assert "client" not in cast(Any, again).args[1]
