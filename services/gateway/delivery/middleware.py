"""ASGI middleware in front of the routes: give an answer that is there, or keep a new one.

A hit parses nothing and asks Redis nothing. A new answer is kept when it is complete: the last
piece of a blob comes only after a comparison of all its bytes with their digest.
"""

import math
import re
import time
from collections.abc import Callable, Hashable
from typing import NamedTuple

from prometheus_client import Counter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.delivery.cache import Answer, DeliveryCache, Headers, Key, Source
from services.gateway.delivery.offer import Fill, begin_fill
from services.gateway.delivery.question import (
    Question,
    Terms,
    asked_in,
    depends_on_accept,
    names_tag,
    question_of,
)
from services.gateway.http.image_response import AnswerRoom

_HIT = b"darkroom; hit"
_CACHE_STATUS, _VARY, _ETAG, _LENGTH = b"cache-status", b"vary", b"etag", b"content-length"
_CACHE_CONTROL, _EXPIRES = b"cache-control", b"expires"
_UNCHANGED = frozenset({_ETAG, _CACHE_CONTROL, _EXPIRES, b"x-accel-expires", _VARY})
"""Fields of a 200 that a 304 in its place has as well (RFC 9110, section 15.4.5)."""

_MAX_AGE = re.compile(rb"max-age=([1-9][0-9]*)")
SMALL = 64 << 10  # bytes: as many as a connection buffers in any case


class Hit(NamedTuple):
    """An answer in memory that a request may have."""

    answer: Answer
    unchanged: bool
    """True if the client has the answer already, and gets a 304."""
    age: int
    """Seconds since it was made."""
    body: bytes
    """Its bytes; none for a 304 and for HEAD."""

    @property
    def headers(self) -> Headers:
        """The header of the answer, without its age."""
        return self.answer.unchanged if self.unchanged else self.answer.headers


class DeliveryMiddleware:
    """Answers from a cache while `hears()` is true: while every purge is heard of."""

    def __init__(
        self,
        app: ASGIApp,
        cache: DeliveryCache,
        room: AnswerRoom,
        *,
        hears: Callable[[], bool],
        hits: Counter,
        misses: Counter,
    ) -> None:
        self._app = app
        self._cache = cache
        self._room = room
        self._hears = hears
        self._hits = hits
        self._misses = misses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        question = question_of(scope) if self._hears() else None
        if question is None:
            await self._app(scope, receive, send)
            return
        if question.again:
            self._cache.drop(question.key)
            await self._app(scope, receive, send)
            return
        hit = self._find(question, scope)
        if hit is None:
            self._misses.inc()
            await self._fill(question, scope, receive, send)
            return
        self._hits.inc()
        scope["route"] = hit.answer.route
        status = 304 if hit.unchanged else 200
        headers = [*hit.headers, (b"age", b"%d" % hit.age)]
        start = {"type": "http.response.start", "status": status, "headers": headers}
        if len(hit.body) <= SMALL:
            await send(start)
            await send({"type": "http.response.body", "body": hit.body})
            return
        async with self._room.take(len(hit.body)):
            await send(start)
            await send({"type": "http.response.body", "body": hit.body, "more_body": True})
            # The server returns from this one when the client has taken the body.
            await send({"type": "http.response.body", "body": b""})

    def find_at_once(self, terms: Terms, scope: Scope) -> Hit | None:
        """Return the answer in memory to a request, if it is small; None for any other request."""
        if not (self._cache.has_some(scope["raw_path"]) and self._hears()):
            return None
        question = asked_in(terms, scope)
        if question.again:
            return None
        hit = self._find(question, scope)
        return hit if hit is not None and len(hit.body) <= SMALL else None

    def take(self, hit: Hit, form: Hashable) -> bytes | None:
        """Count an answer as given; return its header in a form, if it was given in that before."""
        self._hits.inc()
        return hit.answer.lines.get(form)

    def remember_lines(self, hit: Hit, form: Hashable, lines: bytes) -> bytes:
        """Keep the header of an answer for others of the same form, and return it."""
        self._cache.remember_lines(hit.answer, form, lines)
        return lines

    def _find(self, question: Question, scope: Scope) -> Hit | None:
        now = time.monotonic()
        answer = self._cache.find(question.key, now)
        if answer is None:
            return None
        unchanged = bool(question.tags) and names_tag(question.tags, answer.tag)
        empty = unchanged or scope["method"] == "HEAD"
        return Hit(answer, unchanged, int(now - answer.made), b"" if empty else answer.body)

    async def _fill(self, question: Question, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to the routes, and keep the answer that they offer."""
        if scope["method"] == "HEAD":
            await self._app(scope, receive, send)
            return
        begun, fill = self._cache.moment, begin_fill(scope)
        kept: Headers = []
        pieces: list[bytes] = []
        size = reserved = 0
        complete = False

        async def keep(message: Message) -> None:
            nonlocal kept, size, reserved, complete
            if message["type"] == "http.response.start":
                size = _size_to_keep(message, question.key) if fill.source else 0
                if size > SMALL:
                    reserved = size = size if self._cache.reserve(size) else 0
                kept = list(message["headers"])
            elif size:
                if piece := message.get("body"):
                    pieces.append(piece)
                complete = not message.get("more_body", False)
            await send(message)

        try:
            await self._app(scope, receive, keep)
            body = b"".join(pieces)
            if fill.source and complete and len(body) == size > 0:
                answer = _answer(kept, body, fill.source, fill, scope)
                self._cache.put(question.key, answer, begun)
        finally:
            self._cache.release(reserved)


def _size_to_keep(start: Message, key: Key) -> int:
    """Return the size of an answer that is a whole image, and depends on nothing but its key.

    Returns 0 for all others.
    """
    fields = dict(start["headers"])
    if (
        start["status"] != 200
        or _ETAG not in fields
        # An answer that was rendered for its request has the times of that render.
        or not fields.get(_CACHE_STATUS, _HIT).endswith(_HIT)
    ):
        return 0
    if _VARY in fields and not (fields[_VARY].lower() == b"accept" and depends_on_accept(key)):
        return 0
    return int(fields.get(_LENGTH, 0))


def _answer(headers: Headers, body: bytes, source: Source, fill: Fill, scope: Scope) -> Answer:
    """Return an answer as the cache keeps it."""
    fields = dict(headers)
    now = time.monotonic()
    max_age = _MAX_AGE.search(fields.get(_CACHE_CONTROL, b""))
    status = (_CACHE_STATUS, _HIT)
    others = [field for field in headers if field[0] != _CACHE_STATUS]
    return Answer(
        source=source,
        body=body,
        headers=[*others, status],
        unchanged=[*(field for field in others if field[0] in _UNCHANGED), status],
        tag=fields[_ETAG],
        route=scope.get("route"),
        made=now,
        fresh=int(max_age[1]) / 2 if max_age else math.inf,
        dated=_EXPIRES in fields,
        ends=fill.ends,
        confirmed=now,
        latest=fill.latest,
    )
