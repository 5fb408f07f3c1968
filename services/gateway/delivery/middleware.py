"""ASGI middleware in front of the routes: give an answer that is there, or keep a new one.

A hit parses nothing and asks Redis nothing. A new answer is kept when it is complete: the last
piece of a blob comes only after a comparison of all its bytes with their digest.
"""

import math
import re
import time
from collections.abc import Callable

from prometheus_client import Counter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.delivery.cache import Answer, DeliveryCache, Headers, Key, Source
from services.gateway.delivery.offer import Fill, begin_fill
from services.gateway.delivery.question import (
    Question,
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
_SMALL = 64 << 10  # bytes: as many as a connection buffers in any case


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
        question = question_of(scope)
        if question is None or not self._hears():
            await self._app(scope, receive, send)
            return
        if question.again:
            self._cache.drop(question.key)
            await self._app(scope, receive, send)
            return
        now = time.monotonic()
        answer = self._cache.find(question.key, now)
        if answer is None:
            self._misses.inc()
            await self._fill(question, scope, receive, send)
            return
        self._hits.inc()
        scope["route"] = answer.route
        age = (b"age", b"%d" % (now - answer.made))
        if question.tags and names_tag(question.tags, answer.tag):
            headers = [*answer.unchanged, age]
            await send({"type": "http.response.start", "status": 304, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        start = {"type": "http.response.start", "status": 200, "headers": [*answer.headers, age]}
        body = b"" if scope["method"] == "HEAD" else answer.body
        if len(body) <= _SMALL:
            await send(start)
            await send({"type": "http.response.body", "body": body})
            return
        async with self._room.take(len(body)):
            await send(start)
            await send({"type": "http.response.body", "body": body, "more_body": True})
            # The server returns from this one when the client has taken the body.
            await send({"type": "http.response.body", "body": b""})

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
                if size > _SMALL:
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
