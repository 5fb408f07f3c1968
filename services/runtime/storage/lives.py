"""Longer lives of renditions, and the index by which an image's renditions are purged.

The index of an image is a sorted set: the digest of each rendition that was made from it, by the
time (s) at which that one has expired for certain. It expires with the last of them.
"""

import time
from collections.abc import Iterable

from services.runtime.redis import keys
from services.runtime.redis.endpoint import Command

_CLOCKS = 3600  # seconds by which the clocks of two hosts may differ


def end_of(ttl: int) -> int:
    """Return the time (s) at which a rendition that lives for `ttl` seconds is gone for certain."""
    return int(time.time()) + ttl + _CLOCKS


def extending(rendition: str, images: Iterable[str], ttl: int) -> list[Command]:
    """The commands that keep a rendition in the indexes of its images for `ttl` more seconds.

    They add no rendition, and shorten no life.
    """
    commands: list[Command] = []
    ends = end_of(ttl)
    for image in images:
        index = keys.renditions_of(image)
        commands += [("ZADD", index, "XX", "GT", ends, rendition), ("EXPIRE", index, ttl, "GT")]
    return commands
