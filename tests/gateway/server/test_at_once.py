"""An answer without all parts of the application equals the application's, and keeps bounds."""

import copy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.imaging import Blob
from darkroom.signing import sign
from services.gateway.access.anonymous import AnonymousAccess
from services.gateway.access.exposure import Exposure
from services.gateway.access.keys import keyring as keys_of_gateway
from services.gateway.access.keys.keyring import Keyring
from services.gateway.access.limits.limiter import Limiter
from services.gateway.delivery import purges
from services.gateway.delivery.delivery import Delivery
from services.gateway.delivery.offer import offer
from services.gateway.front import Front, make_front
from services.gateway.http.image_response import AnswerRoom
from services.gateway.server.at_once import Admitted
from services.gateway.server.whole_answers import WholeAnswer
from services.runtime.redis.client import make_redis
from services.runtime.storage.images import Images
from services.runtime.storage.records import Kind, StoredBlob
from services.runtime.storage.renditions import Renditions
from services.runtime.storage.setup import make_storage
from services.runtime.telemetry.metrics import Metrics
from tests.gateway.access.gateways import ADMIN_KEY, settings_of
from tests.gateway.access.signed.sites import KEYS, PRESETS, RENDER, SECRET
from tests.processes import until_answer

ORIGIN = "https://app.example.com"
LARGE = f"{RENDER}?op=flip"
"""The answer to it has more bytes than one that is given at once."""

TRANSIENT = {b"age", b"x-correlation-id", b"ratelimit"}
KEY = {"authorization": f"Bearer {ADMIN_KEY}"}
SIGNED = sign(f"{RENDER}?op=sepia", kid="web-1", secret=SECRET, expires=600)
PATHS = (
    *(f"{RENDER}?op=sepia", f"{RENDER}?op=sepia&format=auto", "/v1/fetch?src=a:b&op=sepia"),
    *(f"{RENDER}?preset=card&w=640&h=240", f"{RENDER}?preset=card&w=1&h=240"),
    *(SIGNED, SIGNED.replace("sepia", "blur"), LARGE, "/v1/images", "/health/live", "/nowhere"),
    f"/images{RENDER}?op=sepia",
)
JOBS = ("/v1/jobs", "/images/v1/jobs", "/v1/jobs?op=flip", "/v1/keys")
BODY = {"content-length": "9"}
REQUESTS: tuple[dict[str, str], ...] = (
    {}, KEY, {"authorization": "Bearer dk_aaaaaaaaaa_x"}, {"cookie": "darkroom_session=a.1.b"},
    KEY | {"if-none-match": '"a"'}, KEY | {"if-none-match": '"b"'}, KEY | {"accept": "image/webp"},
    KEY | {"origin": ORIGIN}, KEY | {"origin": "https://example.com"}, KEY | {"range": "bytes=0-3"},
    KEY | {"host": "elsewhere.example.com"}, KEY | {"cache-control": "no-cache"},
    KEY | {"x-correlation-id": "mine"}, KEY | {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"},
    KEY | {"content-length": "0"}, KEY | {"x-forwarded-for": "192.0.2.1"},
    KEY | {"x-forwarded-prefix": "/images", "x-forwarded-host": "127.0.0.1"},
)  # fmt: skip
SETTINGS: dict[str, dict[str, object]] = {
    "open": {"access": "open"},
    "keys": {},
    "signed": {"anonymous": "signed"},
    "presets": {"anonymous": "presets"},
    "limits": {"rate_calls": 1000},
    "site": {"origins": ORIGIN, "hosts": "elsewhere.example.com", "root_path": "/images"},
}


async def routes(scope: Scope, receive: Receive, send: Send) -> None:
    """Give a picture for every request, and let it be kept."""
    if scope["method"] == "POST":
        await receive()
    body = bytes(70_000) if b"flip" in scope["query_string"] else b"bytes"
    stored = StoredBlob(Blob(key="a" * 64, media_type="image/webp", bytes=5), digest="b" * 64)
    offer(Request(scope), Kind.RENDITION, stored, ("1" * 64,), life=60)
    fields = {"ETag": '"a"', "Cache-Control": "public, max-age=60", "Cache-Status": "darkroom; hit"}
    fields["Link"] = '</v1/images>; rel="up"'
    if b"auto" in scope["query_string"]:
        fields["Vary"] = "Accept"
    await Response(body, headers=fields, media_type="image/webp")(scope, receive, send)


class Bodies:
    """Takes every submission that announces its length."""

    def takes(self, scope: Scope) -> bool:
        return bool(scope["path"] == "/v1/jobs" and scope["query_string"] == b"")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await routes(scope, receive, send)


async def _answers_from_memory(front: Front) -> bool:
    """Return whether an answer is kept: that of a gateway that hears of purges."""
    _, fields, *_ = await asked(front, f"{RENDER}?op=melt", KEY)
    return b"age" in fields


@asynccontextmanager
async def front_of(redis_url: str, folder: Path, **given: object) -> AsyncIterator[Front]:
    """The front of a gateway before such routes, which knows its keys and hears of purges."""
    (folder / "keys.toml").write_text(KEYS)
    (folder / "presets.toml").write_text(PRESETS)
    files = {"signing_keys": folder / "keys.toml", "presets": folder / "presets.toml"}
    settings = settings_of(redis_url, **files, **given)
    redis, metrics = make_redis(settings), Metrics()
    storage = make_storage(settings, redis, metrics)
    images, room = Images(storage), AnswerRoom(1 << 20)
    delivery = Delivery(redis, images, Renditions(storage), room, settings, metrics)
    keyring = Keyring(redis, settings.admin_key)
    front = make_front(
        routes,
        settings,
        delivery=delivery,
        limiter=Limiter(redis, settings, metrics),
        anonymous=AnonymousAccess(settings),
        keyring=keyring,
        exposure=Exposure(watched=False),
        methods=("GET",),
        bodies=Bodies(),
    )
    await delivery.start()
    await keyring.start()
    await keyring.read()
    # A busy machine may confirm neither keys nor purges within a second: no answer is at once then.
    with patch.object(keys_of_gateway, "LEASE", 60.0), patch.object(purges, "LEASE", 60.0):
        try:
            await until_answer(partial(_answers_from_memory, front))
            yield front
        finally:
            await keyring.stop()
            await delivery.stop()
            await redis.close()


def scope_of(url: str, headers: dict[str, str], method: str = "GET") -> dict[str, Any]:
    """Return the scope of a request, as uvicorn makes it."""
    path, _, query = url.partition("?")
    fields = {"host": "127.0.0.1"} | headers
    return {
        "type": "http",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in fields.items()],
        "client": ("127.0.0.1", 40_000),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }


Read = tuple[int, dict[bytes, bytes], bytes]
"""The status, the header and the body of an answer."""


async def asked(front: Front, url: str, headers: dict[str, str], method: str = "GET") -> Read:
    """Ask the application, and return the status, the header and the body of its answer."""
    return await answered(front.app, scope_of(url, headers, method))


async def answered(app: ASGIApp, scope: Scope) -> Read:
    """Return the status, the header and the body of an application's answer."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    await app(scope, receive, send)
    start, *bodies = sent
    assert len(dict(start["headers"])) == len(start["headers"])
    body = b"".join(message["body"] for message in bodies)
    return start["status"], dict(start["headers"]), body


async def written(admitted: Admitted) -> WholeAnswer | None:
    """Return the answer to an admitted request, if it is written as a whole."""
    answers: list[WholeAnswer] = []

    def write(answer: WholeAnswer) -> bool:
        answers.append(answer)
        return True

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        assert not answers

    await admitted.app(write, admitted.scope, receive, send)
    return answers[0] if answers else None


def read(answer: WholeAnswer) -> Read:
    """Return an answer as `asked` does."""
    lines = answer.lines.removesuffix(b"\r\n").split(b"\r\n")
    fields = {name: value for name, _, value in (line.partition(b": ") for line in lines)}
    assert len(fields) == len(lines)
    return answer.status, fields, answer.body


def assert_same(one: Read, other: Read, case: object) -> None:
    """Assert that two answers differ in nothing but what changes from answer to answer."""
    assert one[::2] == other[::2], case
    assert one[1].keys() == other[1].keys(), case
    for field in one[1].keys() - TRANSIENT:
        assert one[1][field] == other[1][field], case


@pytest.mark.parametrize("name", SETTINGS)
async def test_every_answer_at_once_is_that_of_the_application(
    name: str, redis_url: str, tmp_path: Path
) -> None:
    given = passed = joined = 0
    async with front_of(redis_url, tmp_path, **SETTINGS[name]) as front:
        for url, request, method in product(PATHS, REQUESTS, ("GET", "HEAD")):
            case = (url, request, method)
            scope = scope_of(url, request, method)
            before = copy.deepcopy(scope)
            for _ in range(2):
                status, fields, body = await asked(front, url, request, method)
            answer = front.at_once(scope, cast(Any, object()))
            known = front.at_once.remember(scope)
            assert scope == before, case
            once_more = None if known is None else known(cast(Any, object()))
            if name != "limits":
                assert (once_more is None) == (not isinstance(answer, WholeAnswer)), case
            whole = b"age" in fields and len(body) < 70_000 and "traceparent" not in request
            if answer is None:
                # A call may have to be asked for, and the key of an unknown session as well.
                assert not whole or name == "limits" or "cookie" in request, case
                continue
            if isinstance(answer, WholeAnswer):
                assert whole, case
                given += 1
                other_status, others, other_body = read(answer)
                if once_more is not None:
                    assert_same(read(once_more), (status, fields, body), case)
            else:
                assert isinstance(answer, Admitted), case
                assert not whole, case
                passed += 1
                again = {**answer.scope}
                app = partial(answer.app, lambda answer: False)
                other_status, others, other_body = await answered(app, again)
                if (one := await written(answer)) is not None:
                    joined += 1
                    assert read(one)[::2] == (status, body), case
                    assert read(one)[1].keys() == fields.keys(), case
            assert_same((other_status, others, other_body), (status, fields, body), case)
            if "x-correlation-id" in request:
                assert others[b"x-correlation-id"] == b"mine"
    assert given > 40
    assert (passed > 20 and 0 < joined < passed) or name == "limits"


@pytest.mark.parametrize("name", SETTINGS)
async def test_every_submission_past_the_parts_is_answered_as_by_the_application(
    name: str, redis_url: str, tmp_path: Path
) -> None:
    refused = passed = 0
    async with front_of(redis_url, tmp_path, **SETTINGS[name]) as front:
        for url, request in product(JOBS, REQUESTS):
            case, scope = (url, request), scope_of(url, request | BODY, "POST")
            before = copy.deepcopy(scope)
            found = front.at_once(scope, cast(Any, object()))
            admitted = found() if callable(found) else found
            assert scope == before, case
            expected = await asked(front, url, request | BODY, "POST")
            if admitted is None:
                refused += expected[0] >= 400
                continue
            assert isinstance(admitted, Admitted), case
            assert callable(found), "its checks wait for its body"
            assert expected[0] == 200, case
            passed += 1
            answer = await written(admitted)
            assert answer is not None, case
            assert_same(read(answer), expected, case)
    assert refused > 10
    assert passed >= (0 if name == "limits" else 5)


async def test_a_limit_counts_answers_at_once(redis_url: str, tmp_path: Path) -> None:
    async with front_of(redis_url, tmp_path, rate_calls=40, rate_calls_window=1) as front:
        scope = scope_of(f"{RENDER}?op=melt", KEY)
        answers = [front.at_once(scope, cast(Any, object())) for _ in range(100)]
        assert None in answers
        assert not any(isinstance(answer, Admitted) for answer in answers)
        assert sum(answer is not None for answer in answers) <= 10
