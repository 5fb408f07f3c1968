"""Commands that give blobs their lives, and the index by which an image's renditions are purged.

The index of an image is a sorted set: the digest of each rendition that was made from it, by the
time (s) at which that one has expired for certain. It expires with the last of them.
"""

import time
from collections.abc import Iterable

from services.runtime.redis import keys
from services.runtime.redis.endpoint import Command

_CLOCKS = 3600  # seconds by which the clocks of two hosts may differ


def expiring(name: str, ttl: int) -> list[Command]:
    """The commands that give a key `ttl` seconds; a longer life is not shortened."""
    return [("EXPIRE", name, ttl, "NX"), ("EXPIRE", name, ttl, "GT")]


def indexing(rendition: str, images: Iterable[str], ttl: int) -> list[Command]:
    """The commands that add a rendition to the indexes of its images, and drop expired ones."""
    commands: list[Command] = []
    now = int(time.time())
    for image in images:
        index = keys.renditions_of(image)
        commands += [
            ("ZREMRANGEBYSCORE", index, "-inf", now),
            ("ZADD", index, "GT", now + ttl + _CLOCKS, rendition),
            *expiring(index, ttl),
        ]
    return commands


def extending(rendition: str, images: Iterable[str], ttl: int) -> list[Command]:
    """The commands that keep a rendition in the indexes of its images for `ttl` more seconds.

    They add no rendition, and shorten no life.
    """
    commands: list[Command] = []
    ends = int(time.time()) + ttl + _CLOCKS
    for image in images:
        index = keys.renditions_of(image)
        commands += [("ZADD", index, "XX", "GT", ends, rendition), ("EXPIRE", index, ttl, "GT")]
    return commands
