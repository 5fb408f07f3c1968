"""Commands that follow the write of a rendition run in its step, and only if it is written."""

import pytest

from contracts.access.keys import DEFAULT_PROJECT
from services.runtime.redis.client import RedisClient
from services.runtime.redis.endpoint import Command
from services.runtime.redis.scripts import FollowUp
from services.runtime.storage.blobs import Storage
from services.runtime.storage.images import Images
from services.runtime.storage.parts import PART
from services.runtime.storage.purge import Purge
from services.runtime.storage.renditions import Renditions
from tests.runtime.storage.test_purge import rendition
from tests.runtime.storage.test_renditions import rendition as sized

NOTES, TEXT = "test.notes", "test.text"


@pytest.fixture(autouse=True)
async def _no_notes(redis: RedisClient) -> None:
    await redis.execute("UNLINK", NOTES, TEXT)


def noting(ran: list[bool], *commands: Command) -> FollowUp:
    return FollowUp(commands, lambda: ran.append(True))


@pytest.mark.parametrize("size", [9, 2 * PART])
async def test_commands_follow_a_rendition_that_is_written(
    either: Storage, redis: RedisClient, size: int
) -> None:
    ran = list[bool]()
    follow_up = noting(ran, ("RPUSH", NOTES, "one", b"\0two"), ("RPUSH", NOTES, "three"))
    renditions, one = Renditions(either), sized(1, bytes(size))
    assert await renditions.keep([one], ttl=60, follow_up=follow_up) == set()
    assert await redis.execute("LRANGE", NOTES, 0, -1) == [b"one", b"\0two", b"three"]
    assert await renditions.get(one.blob) == bytes(size)
    assert ran == [True]


async def test_no_command_follows_a_rendition_whose_image_was_deleted(
    either: Storage, redis: RedisClient
) -> None:
    image = (await Images(either).keep_bytes(b"an image", ttl=60)).blob.key
    assert await Purge(either, longest=60).image(DEFAULT_PROJECT, image)
    ran, one = list[bool](), rendition(1, image)
    follow_up = noting(ran, ("RPUSH", NOTES, "one"))
    assert await Renditions(either).keep([one], ttl=60, follow_up=follow_up) == {one.blob.key}
    assert await redis.execute("EXISTS", NOTES) == 0
    assert ran == []


async def test_a_command_that_fails_is_the_last_one_and_the_rendition_is_kept(
    storage: Storage, redis: RedisClient
) -> None:
    ran, one = list[bool](), rendition(1, "3" * 64)
    await redis.execute("SET", TEXT, "no list")
    commands = [("RPUSH", key, "value") for key in (NOTES, TEXT, NOTES)]
    follow_up = noting(ran, *commands)
    renditions = Renditions(storage)
    assert await renditions.keep([one], ttl=60, follow_up=follow_up) == set()
    assert await redis.execute("LRANGE", NOTES, 0, -1) == [b"value"]
    assert await renditions.get(one.blob) == one.data
    assert ran == []
