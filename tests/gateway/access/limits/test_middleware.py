"""Fields and refusals of a limited caller, and requests that cost nothing."""

import re
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from contracts.access.keys import KeyLimits
from services.gateway.access.caller import Caller, set_caller
from services.gateway.access.limits.limiter import Limiter
from services.gateway.access.limits.middleware import LimitsMiddleware
from services.gateway.http.problems import refusal
from services.gateway.settings import GatewaySettings
from services.runtime.redis.client import RedisClient, make_redis
from services.runtime.settings import RuntimeSettings
from services.runtime.telemetry.metrics import Metrics

SETTINGS = GatewaySettings(rate_calls=0.01, rate_calls_window=300)


class Gateway:
    """The middleware in front of a route, whose callers have the key that `key` names."""

    def __init__(self, redis: RedisClient, settings: GatewaySettings, caller: Caller) -> None:
        self.caller = caller
        self.answers: Callable[[], Response] = Response
        self.asked = 0
        self.metrics = Metrics()
        limiter = Limiter(redis, settings, self.metrics)
        limited = LimitsMiddleware(self._route, limiter, refuse=refusal)

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            set_caller(scope, self.caller)
            await limited(scope, receive, send)

        transport = httpx.ASGITransport(app)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://gateway")

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        await self.answers()(scope, receive, send)


@pytest.fixture
async def gateway(redis: RedisClient, caller: Caller) -> AsyncIterator[Gateway]:
    gateway = Gateway(redis, SETTINGS, caller)
    async with gateway.client:
        yield gateway


async def test_every_answer_says_what_is_left_and_of_what(gateway: Gateway) -> None:
    answers = [await gateway.client.get("/v1/images") for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert {answer.headers["RateLimit-Policy"] for answer in answers} == {'"calls";q=3;w=300'}
    left = [re.fullmatch(r'"calls";r=(\d);t=\d\d\d?', one.headers["RateLimit"]) for one in answers]
    assert [one and one[1] for one in left] == ["2", "1", "0", "0"]


async def test_a_refusal_is_a_problem_that_says_when_to_ask_again(gateway: Gateway) -> None:
    for _ in range(3):
        await gateway.client.get("/v1/images")

    refused = await gateway.client.get("/v1/images")

    assert refused.status_code == 429
    assert 50 < int(refused.headers["Retry-After"]) <= 100
    assert refused.json()["code"] == "rate_limited"
    assert refused.json()["type"] == "/guide/errors/rate_limited"
    assert gateway.asked == 3
    assert b'darkroom_limited_total{policy="calls"} 1.0' in gateway.metrics.text()


async def test_an_answer_that_the_service_is_overloaded_costs_no_call(gateway: Gateway) -> None:
    gateway.answers = lambda: Response(status_code=503)

    answers = [await gateway.client.get("/v1/images") for _ in range(6)]

    assert {answer.status_code for answer in answers} == {503}


async def test_health_checks_and_pages_count_for_nothing(gateway: Gateway) -> None:
    for path in ("/health/ready", "/", "/guide/", "/metrics"):
        for _ in range(4):
            answer = await gateway.client.get(path)
            assert answer.status_code == 200
            assert "RateLimit" not in answer.headers


async def test_a_key_has_the_rates_of_its_own_record(redis: RedisClient, caller: Caller) -> None:
    own = Caller(caller.project, key=caller.key, limits=KeyLimits(rate_calls=2, daily_megapixels=5))
    gateway = Gateway(redis, SETTINGS, own)

    answer = await gateway.client.get("/v1/images")

    policy = '"calls";q=600;w=300, "key-day";q=5;qu="megapixels";w=86400'
    assert answer.headers["RateLimit-Policy"] == policy


async def test_a_caller_without_a_key_has_no_rate_but_its_projects_day(
    redis: RedisClient, caller: Caller
) -> None:
    settings = SETTINGS.model_copy(update={"daily_megapixels": 100})
    gateway = Gateway(redis, settings, Caller(caller.project))

    answers = [await gateway.client.get("/v1/images") for _ in range(5)]

    assert {answer.status_code for answer in answers} == {200}
    assert answers[-1].headers["RateLimit-Policy"] == '"day";q=100;qu="megapixels";w=86400'
    assert answers[-1].headers["RateLimit"].startswith('"day";r=100;t=')


async def test_a_caller_without_limits_gets_no_fields(redis: RedisClient, caller: Caller) -> None:
    gateway = Gateway(redis, GatewaySettings(), caller)

    assert "RateLimit-Policy" not in (await gateway.client.get("/v1/images")).headers


async def test_without_redis_a_limited_caller_gets_a_503(caller: Caller) -> None:
    away = make_redis(RuntimeSettings(redis_url="redis://127.0.0.1:1"))
    gateway = Gateway(away, SETTINGS, caller)

    answer = await gateway.client.get("/v1/images")
    await away.close()

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["RateLimit-Policy"] == '"calls";q=3;w=300'
    assert gateway.asked == 0
