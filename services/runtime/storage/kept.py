"""Kept images: their list, newest first, their labels, and the ends of their lives.

A client has uploaded such an image to keep it: until it is deleted, or until an end that the client
or a setting has named. A sidecar beside its bytes says all that is needed to make its record again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from contracts.access.keys import DEFAULT_PROJECT
from contracts.errors import Conflict, Gone
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient
from services.runtime.redis.scripts import load_script
from services.runtime.storage.images import Images
from services.runtime.storage.records import (
    FIELDS,
    Kind,
    StoredBlob,
    stored_from,
)

_AT_ONCE = 250  # records in one round trip: their commands and replies take 5 ms of the event loop

_SETTLE = load_script(__package__, "settle")
_CHANGE = load_script(__package__, "change", when_full=True, DEFAULT_PROJECT=DEFAULT_PROJECT)
_PAGE = load_script(__package__, "page")
_DROP = load_script(__package__, "drop", when_full=True)


class Life(Enum):
    """A change of an image's life that has no number of seconds."""

    UNCHANGED = "unchanged"
    ENDLESS = "endless"


_SECONDS = {Life.UNCHANGED: "", Life.ENDLESS: "-1"}
"""Arguments of the script for changes of a life."""


@dataclass(frozen=True)
class Kept:
    """A kept image, and the end of its life."""

    stored: StoredBlob
    ends: int | None
    """Milliseconds since 1970 when it expires; None if it is kept until it is deleted."""


@dataclass(frozen=True)
class Position:
    """A place in the list: after the image with this moment (ms) and this key."""

    created: int
    key: str


@dataclass(frozen=True)
class Page:
    """A part of the list."""

    images: Sequence[Kept]
    next: Position | None
    """The end of this page; None on the last one."""


class KeptImages:
    """The kept images of each project. Raises what `RedisClient` and `AsyncStore` raise."""

    def __init__(self, redis: RedisClient, images: Images) -> None:
        self._redis = redis
        self._images = images

    async def page(self, project: str, most: int, after: Position | None = None) -> Page:
        """Return up to `most` images of a project, newest first; after a position, if one is given.

        Two round trips for up to 250 images. Pages that are asked one after the other have no image
        twice, and each image that was there all the time: a position stays valid when its image is
        deleted. A page has fewer images than `most` where some have expired; they are dropped from
        the list.
        """
        listed = keys.images_of(project)
        place = (after.created, after.key) if after else ()
        found = await self._redis.script(_PAGE, (listed,), (most + 1, *place))
        members = [member.decode() for member in found[::2]]
        shown = members[:most]
        kept = await self._find(shown)
        if gone := [key for key, one in zip(shown, kept, strict=True) if one is None]:
            names = (listed, *(_record(key) for key in gone))
            await self._redis.script(_DROP, names, gone)
        has_more = len(members) > most
        last = Position(int(found[2 * most - 1]), members[most - 1]) if has_more else None
        return Page([one for one in kept if one], last)

    async def settle(self, stored: StoredBlob, *, ttl: int | None, label: str = "") -> Kept:
        """Keep an image that `Images.keep` has stored: for ever, or for `ttl` seconds at least.

        A longer life is not shortened, and a label is replaced by another one, not by none.
        Raises Gone if the image has expired.
        """
        key = stored.blob.key
        settled = await self._redis.script(
            _SETTLE, (_record(key), keys.images_of(stored.project)), (key, ttl or "", label)
        )
        if not settled:
            raise _expired()
        return await self._described(key)

    async def change(
        self,
        project: str,
        key: str,
        *,
        label: str | None = None,
        life: int | Life = Life.UNCHANGED,
    ) -> Kept | None:
        """Give a kept image another label ("" for none) or another life, and return it.

        `life` is in seconds from now, and may be shorter than before; the image of an open job
        lives as long as the job may need it in any case. Returns None where the project has no such
        image. Raises Conflict for an image that is not kept, and Gone.
        """
        seconds = _SECONDS[life] if isinstance(life, Life) else life
        outcome = await self._redis.script(
            _CHANGE,
            (_record(key), keys.images_of(project)),
            (project, key, seconds, *(() if label is None else (label,))),
        )
        if outcome == 0:
            return None
        if outcome == -1:
            raise Conflict("The image came with a render or a job; upload it to keep it.")
        return await self._described(key)

    async def find(self, key: str) -> Kept | None:
        """Return an image that is kept, as its caller knows; None where it is not there."""
        (kept,) = await self._find([key])
        return kept

    async def _described(self, key: str) -> Kept:
        """Write the sidecar of an image that has changed, and return the image. Raises Gone."""
        kept = await self.find(key)
        if kept is None:
            raise _expired()
        await self._images.write_sidecar(kept.stored)
        return kept

    async def _find(self, wanted: Sequence[str]) -> list[Kept | None]:
        found: list[Kept | None] = []
        for start in range(0, len(wanted), _AT_ONCE):
            some = wanted[start : start + _AT_ONCE]
            replies = await self._redis.pipeline(
                command
                for key in some
                for command in (("HMGET", _record(key), *FIELDS), ("PEXPIRETIME", _record(key)))
            )
            for key, row, ends in zip(some, replies[::2], replies[1::2], strict=True):
                stored = stored_from(Kind.IMAGE, key, row)
                found.append(Kept(stored, ends if ends > 0 else None) if stored else None)
        return found


def _record(key: str) -> str:
    return keys.blob(Kind.IMAGE, key)


def _expired() -> Gone:
    return Gone("The image has expired; upload it again.")
