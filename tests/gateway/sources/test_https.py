"""Web servers as sources: the addresses of requests, and the accepted parts of an answer."""

import asyncio
import time
from unittest.mock import Mock

import httpx
import pytest

from contracts.errors import (
    ImageTooBig,
    ImageUnreadable,
    NotFound,
    SourceRefused,
    SourceTimeout,
    SourceUnavailable,
)
from services.gateway.sources.configuration import HttpsSource, parse_sources
from services.gateway.sources.kinds.https import HttpsOrigin
from services.gateway.sources.originals import Acquired
from tests.attempts import attempts
from tests.gateway.sources.conftest import MakeOriginals
from tests.gateway.sources.web import PNG, Asked, Web, answer


def source(web: Web, *more: str, allow: str = "/*") -> str:
    return "\n".join(
        [
            "[sources.web]",
            'kind = "https"',
            f'allow = ["{web.url}{allow}"]',
            "allow_private = true",
            *more,
        ]
    )


async def fetched(gateways: MakeOriginals, web: Web, path: str, *more: str) -> Acquired:
    return await gateways(source(web, *more)).acquire(f"{web.url}{path}", "default")


async def test_a_request_says_nothing_of_the_client(gateways: MakeOriginals, web: Web) -> None:
    web.answers["/a.png?w=1"] = answer(200, PNG)
    await fetched(gateways, web, "/a.png?w=1")

    (asked,) = web.asked
    assert asked.headers == {
        "host": web.url.removeprefix("http://"),
        "user-agent": "Darkroom",
        "accept": "image/*",
        "accept-encoding": "identity",
        "connection": "keep-alive",
    }


async def test_a_private_address_is_refused_unless_the_source_allows_it(
    gateways: MakeOriginals, web: Web
) -> None:
    for host in ("127.0.0.1", "localhost"):
        text = source(web).replace("allow_private = true", "").replace("127.0.0.1", host)
        url = f"{web.url}/a.png".replace("127.0.0.1", host)
        with pytest.raises(SourceRefused, match="reachable from the internet"):
            await gateways(text).acquire(url, "default")
    assert not web.asked


async def test_redirects_are_followed_three_times(gateways: MakeOriginals, web: Web) -> None:
    for number in range(4):
        web.answers[f"/{number}"] = answer(302, location=f"/{number - 1}")
    web.answers["/0"] = answer(200, PNG)

    assert (await fetched(gateways, web, "/3")).original.url == f"{web.url}/0"
    web.answers["/4"] = answer(308, location=f"{web.url}/3")
    with pytest.raises(SourceRefused, match="more than 3 redirects"):
        await fetched(gateways, web, "/4")


@pytest.mark.parametrize(
    "location",
    [
        "/private/a.png",
        "http://localhost/open/a.png",
        "file:///etc/passwd",
        "//user:word@{host}/open/a.png",
        "/open/..%2fprivate/a.png",
        "",
    ],
)
async def test_each_redirect_has_to_be_allowed(
    gateways: MakeOriginals, web: Web, location: str
) -> None:
    location = location.replace("{host}", web.url.removeprefix("http://"))
    web.answers["/open/1"] = answer(301, location=location)
    web.answers["/private/a.png"] = answer(200, PNG)
    with pytest.raises(SourceRefused):
        await gateways(source(web, allow="/open/*")).acquire(f"{web.url}/open/1", "default")
    assert {asked.path for asked in web.asked} == {"/open/1"}


async def test_only_the_host_of_the_url_receives_the_authorization(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WEB_TOKEN", "Bearer secret-word")
    sent: dict[str, str | None] = {}

    async def reply(request: httpx.Request) -> httpx.Response:
        sent[str(request.url)] = request.headers.get("authorization")
        if request.url.host == "a.example":
            to = {"location": "https://b.example/b"}
            return httpx.Response(302, headers=to, stream=httpx.ByteStream(b""))
        return httpx.Response(404, stream=httpx.ByteStream(b""))

    text = '[sources.web]\nkind = "https"\nallow = ["https://a.example/*", "https://b.example/*"]'
    configured = parse_sources(text + '\nauthorization_env = "WEB_TOKEN"\n')["web"]
    assert isinstance(configured, HttpsSource)
    async with httpx.AsyncClient(transport=httpx.MockTransport(reply)) as client:
        with pytest.raises(NotFound):
            await HttpsOrigin(configured, client).ask("https://a.example/a", None, Mock())
    assert sent == {"https://a.example/a": "Bearer secret-word", "https://b.example/b": None}


@pytest.mark.parametrize(
    ("given", "error", "detail"),
    [
        (answer(404), NotFound, "no image at this URL"),
        (answer(410), NotFound, "no image at this URL"),
        (answer(403), SourceUnavailable, "status 403"),
        (answer(204), SourceUnavailable, "status 204"),
        (answer(206, PNG), SourceUnavailable, "status 206"),
        (answer(304), SourceUnavailable, "status 304"),
        (answer(503, retry_after="17"), SourceUnavailable, "status 503"),
        (answer(200, PNG, content_encoding="gzip"), SourceUnavailable, "Content-Encoding"),
        (answer(200, b"<html>" * 20, content_type="image/png"), ImageUnreadable, "no image"),
        (answer(200, PNG, content_length="2000000"), ImageTooBig, "1,000,000 bytes"),
        (answer(200, PNG[:-9], content_length=str(len(PNG))), SourceUnavailable, "be reached"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"a" * 200_000, SourceUnavailable, "be reached"),
        (
            b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + b"nonsense\r\n\r\n",
            SourceUnavailable,
            "be reached",
        ),
        (b"\x16\x03\x01nonsense\r\n\r\n", SourceUnavailable, "be reached"),
    ],
)
async def test_an_answer_without_an_image_is_a_named_failure(
    gateways: MakeOriginals, web: Web, given: bytes, error: type[Exception], detail: str
) -> None:
    async def and_close(asked: Asked) -> bytes:
        asyncio.get_running_loop().call_later(0.05, _close, web)
        return given

    web.answers["/a"] = and_close
    with pytest.raises(error, match=detail) as failed:
        await fetched(gateways, web, "/a")
    if b"503" in given[:20]:
        assert getattr(failed.value, "retry_after", None) == 17


def _close(web: Web) -> None:
    for task in list(web._tasks):
        task.cancel()


async def test_more_bytes_than_were_announced_are_never_taken(
    gateways: MakeOriginals, web: Web
) -> None:
    """Chunks without an end: the cap counts what has arrived."""
    chunk = b"fffff\r\n" + PNG + bytes(0xFFFFF - len(PNG)) + b"\r\n"
    web.answers["/a"] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 2
    with pytest.raises(ImageTooBig):
        await fetched(gateways, web, "/a")


async def test_one_deadline_is_over_all_of_it(gateways: MakeOriginals, web: Web) -> None:
    """A server that sends a byte now and then keeps every single wait short."""

    async def drip(asked: Asked) -> bytes:
        await asyncio.sleep(0.25)
        return answer(302, location=asked.path)

    for path in ("/a", "/b", "/c"):  # failures are remembered
        web.answers[path] = drip
    for path, attempt in zip(("/a", "/b", "/c"), attempts(), strict=False):
        began = time.monotonic()
        with pytest.raises(SourceTimeout, match=r"within 0\.4 s"):
            await fetched(gateways, web, path, "timeout = 0.4")
        took = time.monotonic() - began
        with attempt:
            assert path in {asked.path for asked in web.asked}
            assert took < 5


async def test_connections_are_bounded_and_used_again(gateways: MakeOriginals, web: Web) -> None:
    under_way = most = 0

    async def slowly(asked: Asked) -> bytes:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.02)
        under_way -= 1
        return answer(200, PNG)

    paths = [f"/{number}" for number in range(8)]
    web.answers |= dict.fromkeys(paths, slowly)
    originals = gateways(source(web, "connections = 2"))
    await asyncio.gather(*(originals.acquire(web.url + path, "default") for path in paths))
    assert (most, web.connections) == (2, 2)


async def test_answers_without_a_body_leave_the_connection_open(
    gateways: MakeOriginals, web: Web
) -> None:
    async def give(asked: Asked) -> bytes:
        known = "if-none-match" in asked.headers
        return answer(304) if known else answer(200, PNG, etag='"1"', cache_control="max-age=0")

    web.answers |= {"/a": give, "/b": answer(302, location="/a"), "/c": answer(404, b"nothing")}
    originals = gateways(source(web))
    for _ in range(3):
        await originals.acquire(f"{web.url}/a", "default")
    await originals.acquire(f"{web.url}/b", "default")
    with pytest.raises(NotFound):
        await originals.acquire(f"{web.url}/c", "default")
    assert (len(web.asked), web.connections) == (6, 1)
