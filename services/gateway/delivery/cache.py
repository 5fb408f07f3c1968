"""The answers in memory, bounded in bytes: those that were unused for longest leave first.

An answer knows the images that it was made from. A purge of one of them drops it, and keeps out the
answers that were begun before the purge and are complete after it.
"""

import math
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any

from services.gateway.middleware.fields import Field
from services.runtime.storage.records import Kind

Key = tuple[Hashable, ...]
"""Key of an answer: the callers that may see it, path, query, and the formats of `Accept`."""

Headers = list[Field]

MAX_BODY = 1 << 20
"""Bytes of the largest body that is kept."""

UNCONFIRMED = 120.0
"""Seconds for which an answer is given without another look at the record of its blob."""

_UNDER_WAY = 16  # large bodies under way have this part of the limit
_OVERHEAD = 2000  # bytes of an answer's objects in memory, beside its body, headers and key
_MOST_FORMS = 8  # of a header: 200 or 304, for one client or for all, and for some origins
_PURGES = 4096  # images whose last purge is remembered


def path_of(key: Key) -> Hashable:
    """Return the path in the key of a request."""
    return key[1]


@dataclass(frozen=True)
class Source:
    """The stored blob that an answer has the bytes of."""

    kind: Kind
    key: str
    digest: str
    images: tuple[str, ...]
    """The images that it was made from, or the image itself."""


@dataclass(slots=True)
class Answer:
    """A complete 200, and when it ends. Times are those of the monotonic clock."""

    source: Source
    body: bytes
    headers: Headers
    unchanged: Headers
    """The header of a 304 in its place."""
    tag: bytes
    route: Any
    """The route that has made it, for the name of a trace's span."""
    made: float
    """Moment at which the answer was made; of an undated one, at which it was last confirmed."""
    fresh: float
    """Seconds after which caches would have too little left of its `max-age`."""
    dated: bool
    """True if its header names a fixed moment until which caches may keep it."""
    ends: float
    """Moment at which its blob, or the image of a render, expires; `latest` at the latest."""
    confirmed: float
    """Moment at which its blob was last seen in Redis, and its life was extended."""
    latest: float = math.inf
    """The moment from which it may be another one, however long the blob is kept."""
    used: bool = False
    """True if the answer was given since it was confirmed."""
    lines: dict[Hashable, bytes] = field(default_factory=dict)
    """Its header as bytes, in the forms that were sent so far."""
    size: int = 0


@dataclass
class Moments:
    """Numbers the purges, so that an answer can tell which of them came after its begin."""

    now: int = 0
    unknown: int = 0
    """The number up to which purges are unknown: an answer that was begun earlier may be purged."""
    purges: OrderedDict[str, int] = field(default_factory=OrderedDict)

    def note(self, image: str) -> None:
        """Note a purge of an image."""
        self.now += 1
        self.purges[image] = self.now
        self.purges.move_to_end(image)
        if len(self.purges) > _PURGES:
            _, self.unknown = self.purges.popitem(last=False)

    def note_all(self) -> None:
        """Note that anything may have been purged."""
        self.now += 1
        self.unknown = self.now
        self.purges.clear()

    def allows(self, images: Iterable[str], begun: int) -> bool:
        """Return whether none of the images was purged since the moment `begun`."""
        return begun >= self.unknown and all(self.purges.get(image, 0) <= begun for image in images)


class DeliveryCache:
    """Answers by the key of their request, `limit` bytes at most.

    Calls `on_eviction` for each answer that leaves for want of room.
    """

    def __init__(self, limit: int, *, on_eviction: Callable[[], None]) -> None:
        self._limit = limit
        self._on_eviction = on_eviction
        self._answers: OrderedDict[Key, Answer] = OrderedDict()
        self._paths = Counter[Hashable]()
        self._by_image: defaultdict[str, set[Key]] = defaultdict(set)
        self._moments = Moments()
        self._under_way = 0
        self.bytes = 0
        """The size of all answers."""
        self.used: dict[Key, Answer] = {}
        """The answers that were given since their blob was last seen."""
        self.left: dict[str, Source] = {}
        """The blobs of such answers that are not here any more, for the last touch of each."""

    def __len__(self) -> int:
        return len(self._answers)

    def has_some(self, path: bytes) -> bool:
        """Return whether there are answers to requests for a path."""
        return path in self._paths

    @property
    def moment(self) -> int:
        """The number of purges so far: note it before an answer is begun."""
        return self._moments.now

    def reserve(self, size: int) -> bool:
        """Make room for a body of `size` bytes that is under way; return False if there is none.

        A large body is as long under way as its client takes to read it, so that there is a limit
        for all of them together.
        """
        if size > MAX_BODY or self._under_way + size > self._limit // _UNDER_WAY:
            return False
        self._under_way += size
        return True

    def release(self, size: int) -> None:
        """Give back what `reserve` has taken."""
        self._under_way -= size

    def find(self, key: Key, now: float) -> Answer | None:
        """Return the answer to a request, and note its use; None if there is none or it ended."""
        answer = self._answers.get(key)
        if answer is None:
            return None
        if (
            now >= answer.ends
            or now - answer.made >= answer.fresh
            or now - answer.confirmed > UNCONFIRMED
        ):
            self.drop(key)
            return None
        self._answers.move_to_end(key)
        if not answer.used:
            answer.used = True
            self.used[key] = answer
        return answer

    def put(self, key: Key, answer: Answer, begun: int) -> bool:
        """Keep an answer that was begun at the moment `begun`; return False if it may be purged."""
        if not self._moments.allows(answer.source.images, begun):
            return False
        self.drop(key)
        parts = [*answer.headers, *answer.unchanged]
        answer.size = (
            _OVERHEAD
            + len(answer.body)
            + sum(len(name) + len(value) for name, value in parts)
            + sum(len(part) for part in key if isinstance(part, bytes))
        )
        self._answers[key] = answer
        self._paths[path_of(key)] += 1
        self.bytes += answer.size
        for image in answer.source.images:
            self._by_image[image].add(key)
        self._shrink()
        return True

    def remember_lines(self, answer: Answer, form: Hashable, lines: bytes) -> None:
        """Keep the header of an answer that was found just now, for others of the same form."""
        if len(answer.lines) < _MOST_FORMS:
            answer.lines[form] = lines
            answer.size += len(lines)
            self.bytes += len(lines)
            self._shrink()

    def _shrink(self) -> None:
        """Drop the answers that were unused for longest until the rest is within the limit."""
        while self.bytes > self._limit:
            self._on_eviction()
            self.drop(next(iter(self._answers)))

    def drop(self, key: Key) -> None:
        """Drop the answer to a request, if there is one."""
        answer = self._answers.pop(key, None)
        if answer is None:
            return
        self.bytes -= answer.size
        path = path_of(key)
        self._paths[path] -= 1
        if not self._paths[path]:
            del self._paths[path]
        for image in answer.source.images:
            keys = self._by_image[image]
            keys.discard(key)
            if not keys:
                del self._by_image[image]
        if self.used.pop(key, None) is not None:
            self.left[answer.source.key] = answer.source

    def purge(self, image: str) -> None:
        """Drop everything that was made from an image, and keep out what is begun already."""
        self._moments.note(image)
        for key in list(self._by_image.get(image, ())):
            self.drop(key)

    def clear(self) -> None:
        """Drop everything, and keep out what is begun already."""
        self._moments.note_all()
        self._answers.clear()
        self._paths.clear()
        self._by_image.clear()
        self.used.clear()
        self.left.clear()
        self.bytes = 0
