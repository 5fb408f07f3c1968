"""The cache keeps some answers of the routes, and gives them again with fresh fields."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from contracts.imaging import Blob
from services.gateway.access.caller import EVERYBODY, set_caller
from services.gateway.delivery.cache import DeliveryCache
from services.gateway.delivery.middleware import DeliveryMiddleware
from services.gateway.delivery.offer import offer
from services.gateway.http.image_response import AnswerRoom
from services.gateway.middleware.head import HeadMiddleware
from services.runtime.storage.records import Kind, StoredBlob
from tests.processes import until

IMAGE = "1" * 64
PATH = f"/v1/images/{IMAGE}/render"
HEADERS = {
    "ETag": '"a"',
    "Cache-Control": "public, max-age=3600",
    "Expires": "Sun, 29 Nov 2026 00:43:55 GMT",
    "Cache-Status": "darkroom; hit",
}
Answer = Callable[[], Response]


def image(body: bytes = b"bytes", status: int = 200, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(body, status, HEADERS | named, "image/webp")


class Routes:
    """Routes that offer each answer, and count the requests that reach them."""

    def __init__(self, answer: Answer, *, digest: str = "b" * 64) -> None:
        self.asked = 0
        self.answer = answer
        self.digest = digest
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.hears = True
        self.cache = DeliveryCache(32 << 20, on_eviction=lambda: None)
        hits, misses = (Counter(name, name, registry=CollectorRegistry()) for name in ("a", "b"))
        app = DeliveryMiddleware(
            HeadMiddleware(self),
            self.cache,
            AnswerRoom(1 << 20),
            hears=lambda: self.hears,
            hits=hits,
            misses=misses,
        )

        async def admitted(scope: Scope, receive: Receive, send: Send) -> None:
            set_caller(scope, EVERYBODY)
            await app(scope, receive, send)

        transport = httpx.ASGITransport(admitted)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://gateway")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        stored = StoredBlob(
            Blob(key="a" * 64, media_type="image/webp", bytes=5), digest=self.digest
        )
        offer(Request(scope), Kind.RENDITION, stored, (IMAGE,), life=60)
        await self.go_on.wait()
        await self.answer()(scope, receive, send)

    async def get(self, query: str = "", method: str = "GET", **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.request(method, PATH + query, headers=named)


async def test_the_second_answer_comes_from_memory() -> None:
    routes = Routes(image)
    first, second = [await routes.get() for _ in range(2)]
    assert routes.asked == 1
    assert first.content == second.content == b"bytes"
    age = second.headers.pop("age")
    assert (age, second.headers) == ("0", first.headers)
    head = await routes.get(method="HEAD")
    assert (head.status_code, head.content, routes.asked) == (200, b"", 1)
    assert head.headers["content-length"] == "5"


async def test_a_client_that_has_the_answer_gets_a_304() -> None:
    routes = Routes(image)
    await routes.get()
    for tag in ('"a"', 'W/"a"', "*"):
        unchanged = await routes.get(if_none_match=tag)
        assert (unchanged.status_code, unchanged.content) == (304, b"")
        assert dict(unchanged.headers) == {
            "etag": '"a"',
            "cache-control": "public, max-age=3600",
            "expires": "Sun, 29 Nov 2026 00:43:55 GMT",
            "cache-status": "darkroom; hit",
            "age": "0",
        }
    assert (await routes.get(if_none_match='"b"')).status_code == 200
    assert routes.asked == 1


@pytest.mark.parametrize(
    "answer",
    [
        lambda: image(status=206),
        lambda: image(status=404),
        lambda: image(Cache_Status="darkroom; fwd=miss"),
        lambda: image(Vary="Origin"),
        lambda: image(Vary="Accept"),  # without the formats in the key
        lambda: image(bytes((1 << 20) + 1)),
        lambda: StreamingResponse(iter([b"bytes"]), headers=HEADERS),  # of unknown length
        lambda: Response(b"bytes"),  # without a tag
    ],
)
async def test_other_answers_are_not_kept(answer: Answer) -> None:
    routes = Routes(answer)
    for _ in range(2):
        await routes.get()
    assert (routes.asked, len(routes.cache)) == (2, 0)


async def test_a_blob_that_nobody_could_check_is_not_kept() -> None:
    routes = Routes(image, digest="")
    for _ in range(2):
        await routes.get()
    assert (routes.asked, len(routes.cache)) == (2, 0)


async def test_an_answer_that_breaks_off_is_not_kept() -> None:
    def broken() -> Response:
        headers = HEADERS | {"Content-Length": "10"}
        return StreamingResponse(iter([b"bytes"]), headers=headers)

    routes = Routes(broken)
    await routes.get()
    assert len(routes.cache) == 0


async def test_answers_by_accept_are_kept_for_each_set_of_formats() -> None:
    routes = Routes(lambda: image(Vary="Accept"))
    for accept, asked in (("image/webp", 1), ("image/webp;q=0.5", 1), ("image/avif", 2)):
        answer = await routes.get("?format=auto", accept=accept)
        assert (routes.asked, answer.headers["vary"]) == (asked, "Accept")


async def test_room_for_bodies_under_way_is_given_back() -> None:
    routes = Routes(lambda: image(bytes(1 << 20)))
    for number in range(5):
        await routes.get(f"?op=blur:{number}")
    assert len(routes.cache) == 5

    async def lost(scope: Scope, receive: Receive, send: Send) -> None:
        await image(bytes(1 << 20))(scope, receive, send)
        raise ConnectionError

    # In the place of the method, for this test alone.
    routes.answer = lambda: lost  # type: ignore[assignment, return-value]
    for number in range(5):
        with pytest.raises(ConnectionError):
            await routes.get(f"?op=sharpen:{number}")
    assert routes.cache.reserve(1 << 20)
    assert routes.cache.reserve(1 << 20)


async def test_large_answers_are_kept_and_given_as_a_whole() -> None:
    body = bytes(range(256)) * 1024
    routes = Routes(lambda: image(body))
    assert [(await routes.get()).content for _ in range(2)] == [body, body]
    assert routes.asked == 1


async def test_no_cache_reaches_the_routes_and_drops_the_answer() -> None:
    routes = Routes(image)
    await routes.get()
    await routes.get(cache_control="no-cache")
    assert (routes.asked, len(routes.cache)) == (2, 0)


async def test_a_gateway_that_hears_nothing_gives_and_keeps_nothing() -> None:
    routes = Routes(image)
    await routes.get()
    routes.hears = False
    await routes.get()
    await routes.get("?op=flip")
    assert (routes.asked, len(routes.cache)) == (3, 1)
    routes.hears = True
    await routes.get()
    assert routes.asked == 3


@pytest.mark.parametrize("loss", [False, True])
async def test_a_purge_while_an_answer_is_under_way_keeps_it_out(loss: bool) -> None:
    routes = Routes(image)
    routes.go_on.clear()
    async with asyncio.TaskGroup() as tasks:
        answer: asyncio.Task[Any] = tasks.create_task(routes.get())
        await until(lambda: routes.asked == 1)
        if loss:
            routes.cache.clear()
        else:
            routes.cache.purge(IMAGE)
        routes.go_on.set()
    assert answer.result().status_code == 200
    assert len(routes.cache) == 0
    await routes.get()
    assert len(routes.cache) == 1
