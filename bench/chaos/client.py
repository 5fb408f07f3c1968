"""A client that submits jobs over HTTP and retries, under idempotency keys, until it succeeds."""

import asyncio
import hashlib
import io
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count, cycle, islice
from uuid import uuid4

import httpx
from PIL import Image

from contracts.errors import Code, Failure
from contracts.fields import BlobKey
from contracts.operations.looks import Blur
from contracts.operations.pipeline import Pipeline
from contracts.operations.shapes import Resize
from services.gateway.routes.dead_letters import DeadLetters
from services.imaging.engine import pipeline

CONCURRENCY = 8  # submissions at a time


@dataclass(frozen=True)
class Order:
    """The source and the variants of a job."""

    image: BlobKey
    variants: tuple[Pipeline, ...]

    def body(self) -> dict[str, object]:
        """Return the body of `POST /v1/jobs`."""
        variants = [variant.model_dump(mode="json") for variant in self.variants]
        return {"source": {"image": self.image}, "variants": variants}


class Refused(Exception):
    """The gateway answered a submission with another status than 202."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__(answer.text)
        self.code = Code(answer.json()["code"])
        retry_after = int(answer.headers.get("retry-after", 0))
        self.is_temporary = answer.status_code == 503 and retry_after > 0
        """True for a 503 with `Retry-After`: the same request may succeed later."""


class Client:
    """Client of one gateway; remembers the bytes of the images that it has uploaded."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._images: dict[BlobKey, bytes] = {}
        self.attempts = 0
        """Submissions sent, whatever their result."""

    async def upload(self, data: bytes) -> BlobKey:
        """Upload an image; return its key."""
        answer = await self._http.post("/v1/images", content=data)
        answer.raise_for_status()
        key = str(answer.json()["id"])
        assert key == hashlib.sha256(data).hexdigest()
        self._images[key] = data
        return key

    async def submit(self, order: Order, key: str | None = None) -> str:
        """Submit a job, under an idempotency key if given; return its id.

        Raises Refused, and httpx.TransportError when the connection fails.
        """
        self.attempts += 1
        headers = {} if key is None else {"Idempotency-Key": key}
        answer = await self._http.post("/v1/jobs", json=order.body(), headers=headers)
        if answer.status_code != 202:
            raise Refused(answer)
        return str(answer.json()["id"])

    async def submit_with_retries(self, order: Order) -> str:
        """Submit a job under one idempotency key until it is accepted; return its id.

        Raises Refused when a refusal is not temporary.
        """
        key = uuid4().hex
        while True:
            try:
                return await self.submit(order, key)
            except httpx.TransportError:
                pass
            except Refused as refused:
                if not refused.is_temporary:
                    raise
            await asyncio.sleep(0.2)

    async def submit_all(self, orders: Sequence[Order]) -> dict[str, Order]:
        """Submit all orders with retries, `CONCURRENCY` at a time; return them by job id."""
        limit = asyncio.Semaphore(CONCURRENCY)

        async def one(order: Order) -> tuple[str, Order]:
            async with limit:
                return await self.submit_with_retries(order), order

        accepted = dict(await asyncio.gather(*map(one, orders)))
        assert len(accepted) == len(orders), "each order is a job of its own"
        return accepted

    async def assert_right_results(self, jobs: dict[str, Order]) -> None:
        """Raise AssertionError unless every result has the bytes of a local render."""
        for job, order in jobs.items():
            for index, variant in enumerate(order.variants):
                answer = await self._http.get(f"/v1/jobs/{job}/results/{index}")
                assert answer.status_code == 200, f"{job}: {answer.text}"
                expected = await asyncio.to_thread(pipeline.run, self._images[order.image], variant)
                assert answer.content == expected.data, f"{job}: the bytes differ"

    async def dead_letters(self, limit: int) -> dict[str, Failure]:
        """Return the failure of each dead letter, by job id."""
        answer = await self._http.get("/v1/dead-letters", params={"limit": limit})
        found = DeadLetters.model_validate_json(answer.raise_for_status().content)
        return {letter.job: letter.problem for letter in found.dead_letters if letter.job}


@asynccontextmanager
async def client(url: str) -> AsyncIterator[Client]:
    """Yield a client of the gateway at `url`."""
    limits = httpx.Limits(max_connections=4 * CONCURRENCY)
    async with httpx.AsyncClient(base_url=url, timeout=20, limits=limits) as http:
        yield Client(http)


def orders(images: Sequence[BlobKey], number: int, *, width: int, variants: int = 1) -> list[Order]:
    """Return the first `number` of these endless orders."""
    return list(islice(endless_orders(images, width=width, variants=variants), number))


def endless_orders(images: Sequence[BlobKey], *, width: int, variants: int = 1) -> Iterator[Order]:
    """Yield orders whose variants all differ, so that no rendition is reused.

    Equal arguments give equal orders, whose renditions are reused.
    """
    radii = (1 + n / 500 for n in count())
    for image in cycle(images):
        yield Order(image, tuple(_blurred(width, next(radii)) for _ in range(variants)))


def photographs(number: int, width: int, height: int) -> Iterator[bytes]:
    """Yield `number` different JPEGs with detail everywhere; sizes are in pixels."""
    for seed in range(number):
        noise = random.Random(seed)
        small = Image.frombytes("RGB", (16, 12), noise.randbytes(16 * 12 * 3))
        buffer = io.BytesIO()
        small.resize((width, height), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=85)
        yield buffer.getvalue()


def _blurred(width: int, radius: float) -> Pipeline:
    return Pipeline(operations=(Resize(width=width), Blur(radius=radius)))
