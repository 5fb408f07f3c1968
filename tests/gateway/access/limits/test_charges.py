"""Charges of renders, and refunds."""

from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from starlette.types import Scope

from contracts.access.keys import DEFAULT_PROJECT
from contracts.errors import ImageUnreadable, NoWorkers, Overloaded, QuotaExceeded, ServiceError
from contracts.imaging import Blob, Inspect, Inspected
from contracts.operations.notation import parse_pipeline
from contracts.operations.pipeline import Pipeline
from services.gateway.access.caller import EVERYBODY, Caller, set_caller
from services.gateway.access.limits.account import Account
from services.gateway.access.limits.charges import Charges
from services.gateway.access.limits.limiter import set_account
from services.gateway.access.limits.policies import MEGAPIXEL, Limits
from services.gateway.rpc import Reply
from services.runtime.redis.client import RedisClient
from services.runtime.settings import RuntimeSettings
from services.runtime.storage.images import Images
from services.runtime.storage.setup import make_storage
from services.runtime.telemetry.metrics import Metrics
from tests.gateway.access.limits.conftest import NewAccount

PIPELINES = (Pipeline(),)


class Worker:
    """Describes every image as an animation of four megapixels, unless it fails."""

    def __init__(self) -> None:
        self.asked = 0
        self.failure: ServiceError | None = None

    async def inspect(self, request: Inspect, *, timeout: float) -> Reply[Inspected]:
        self.asked += 1
        if self.failure:
            raise self.failure
        body = Inspected(
            format="gif", media_type="image/gif", mode="P", width=1000, height=1000, frames=4
        )
        return Reply(body, b"", worker="a", queue_ms=0)


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
def images(redis: RedisClient, redis_url: str) -> Images:
    return Images(make_storage(RuntimeSettings(redis_url=redis_url), redis, Metrics()))


@pytest.fixture
def charges(images: Images, worker: Any) -> Charges:
    return Charges(images, worker, inspect_timeout=1)


@pytest.fixture
def account(gateway_account: NewAccount) -> Account:
    """A caller with 100 megapixels a day."""
    return gateway_account(Limits(day=100 * MEGAPIXEL))


@pytest.fixture
def scope(account: Account) -> Scope:
    scope: Scope = {}
    set_account(scope, account)
    set_caller(scope, EVERYBODY)
    return scope


async def stored(
    images: Images,
    format: str,
    size: tuple[int, int] = (2000, 1000),
    project: str = DEFAULT_PROJECT,
) -> Blob:
    file = BytesIO()
    Image.new("L", size).save(file, format)
    return (await images.keep_bytes(file.getvalue(), ttl=60, project=project)).blob


async def left(account: Account) -> str:
    await account.take_pixels(0)
    return account.field().partition(b";t=")[0].decode()


async def test_the_header_says_what_a_render_costs_before_a_worker_is_asked(
    charges: Charges, images: Images, worker: Worker, account: Account, scope: Scope
) -> None:
    async with charges.renders(scope, (await stored(images, "PNG")).key, PIPELINES):
        assert await left(account) == '"day";r=98'
        assert worker.asked == 0


async def test_a_header_that_says_nothing_costs_a_photograph_until_a_worker_has_read_it(
    charges: Charges, images: Images, worker: Worker, account: Account, scope: Scope
) -> None:
    source = await stored(images, "GIF")
    async with charges.renders(scope, source.key, PIPELINES):
        assert await left(account) == '"day";r=96'
    async with charges.renders(scope, source.key, PIPELINES):
        assert await left(account) == '"day";r=92'
    assert worker.asked == 1


async def test_what_no_worker_can_read_keeps_its_price(
    charges: Charges, images: Images, worker: Worker, account: Account, scope: Scope
) -> None:
    worker.failure = ImageUnreadable("The image is cut off.")
    source = await stored(images, "GIF")
    with pytest.raises(ImageUnreadable):
        async with charges.renders(scope, source.key, PIPELINES):
            raise worker.failure
    assert await left(account) == '"day";r=76'


@pytest.mark.parametrize("failure", [Overloaded("Too many."), NoWorkers("None.")])
async def test_a_render_that_the_service_could_not_do_costs_nothing(
    charges: Charges, images: Images, account: Account, scope: Scope, failure: ServiceError
) -> None:
    source = await stored(images, "PNG")
    with pytest.raises(type(failure)):
        async with charges.renders(scope, source.key, PIPELINES):
            raise failure
    assert await left(account) == '"day";r=100'


async def test_the_image_of_a_watermark_costs_its_pixels_in_its_own_project(
    charges: Charges, images: Images, worker: Worker, account: Account, scope: Scope
) -> None:
    source = await stored(images, "PNG", (64, 64))
    logo, unread = await stored(images, "PNG", (5000, 5000)), await stored(images, "GIF")
    foreign = await stored(images, "PNG", (3000, 3000), "shop")

    async def drawing(blob: Blob) -> str:
        pipeline = parse_pipeline([f"watermark:image={blob.key}"])
        async with charges.renders(scope, source.key, [pipeline]):
            return await left(account)

    other: Scope = {}
    set_account(other, account)
    set_caller(other, Caller("shop"))
    async with charges.renders(other, foreign.key, PIPELINES):
        assert await left(account) == '"day";r=91'
    assert [await drawing(one) for one in (logo, foreign, unread)] == [
        '"day";r=65',
        '"day";r=65',
        '"day";r=64',
    ]
    assert worker.asked == 1


async def test_a_render_that_costs_too_much_does_not_begin(
    charges: Charges, images: Images, account: Account, scope: Scope
) -> None:
    source = await stored(images, "PNG", (10_000, 1000))
    with pytest.raises(QuotaExceeded, match=r"costs 110\.0 megapixels"):
        async with charges.renders(scope, source.key, PIPELINES * 11):
            pytest.fail("it has begun")
    assert await left(account) == '"day";r=100'


async def test_a_caller_without_limits_is_charged_nothing(charges: Charges, images: Images) -> None:
    async with charges.renders({}, (await stored(images, "PNG")).key, PIPELINES) as charge:
        assert charge is None
