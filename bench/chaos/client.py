"""Who hands jobs in: over HTTP, as any client does, and as stubborn as it takes."""

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

AT_ONCE = 8  # requests


@dataclass(frozen=True)
class Order:
    """What a job is to do."""

    image: BlobKey
    variants: tuple[Pipeline, ...]

    def body(self) -> dict[str, object]:
        """As a request has it."""
        variants = [variant.model_dump(mode="json") for variant in self.variants]
        return {"source": {"image": self.image}, "variants": variants}


class Refused(Exception):
    """An answer to a job that is not 202."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__(answer.text)
        self.code = Code(answer.json()["code"])
        again = int(answer.headers.get("retry-after", 0))
        self.for_now = answer.status_code == 503 and again > 0
        """Whether it says when to come again."""


class Client:
    """A client of the gateway; it remembers the bytes of the images that it has sent."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._images: dict[BlobKey, bytes] = {}
        self.tries = 0
        """How often a job was handed in, whatever came of it."""

    async def upload(self, data: bytes) -> BlobKey:
        """Keep an image there."""
        answer = await self._http.post("/v1/images", content=data)
        answer.raise_for_status()
        key = str(answer.json()["id"])
        assert key == hashlib.sha256(data).hexdigest()
        self._images[key] = data
        return key

    async def submit(self, order: Order, key: str | None = None) -> str:
        """The id of the job that was accepted. Raises Refused."""
        self.tries += 1
        headers = {} if key is None else {"Idempotency-Key": key}
        answer = await self._http.post("/v1/jobs", json=order.body(), headers=headers)
        if answer.status_code != 202:
            raise Refused(answer)
        return str(answer.json()["id"])

    async def insist(self, order: Order) -> str:
        """The same, however often it takes to hear of it: under a key that makes it one job."""
        key = uuid4().hex
        while True:
            try:
                return await self.submit(order, key)
            except httpx.TransportError:
                pass
            except Refused as refused:
                if not refused.for_now:
                    raise
            await asyncio.sleep(0.2)

    async def hand_in(self, orders: Sequence[Order]) -> dict[str, Order]:
        """All of them, some at once: what was ordered, by the id of its job."""
        places = asyncio.Semaphore(AT_ONCE)

        async def one(order: Order) -> tuple[str, Order]:
            async with places:
                return await self.insist(order), order

        accepted = dict(await asyncio.gather(*map(one, orders)))
        assert len(accepted) == len(orders), "each order is a job of its own"
        return accepted

    async def assert_right(self, jobs: dict[str, Order]) -> None:
        """Raise unless every result has the bytes that rendering it here and now gives."""
        for job, order in jobs.items():
            for index, variant in enumerate(order.variants):
                answer = await self._http.get(f"/v1/jobs/{job}/results/{index}")
                assert answer.status_code == 200, f"{job}: {answer.text}"
                expected = await asyncio.to_thread(pipeline.run, self._images[order.image], variant)
                assert answer.content == expected.data, f"{job}: another picture"

    async def dead_letters(self, most: int) -> dict[str, Failure]:
        """Why each job that was given up was."""
        answer = await self._http.get("/v1/dead-letters", params={"limit": most})
        found = DeadLetters.model_validate_json(answer.raise_for_status().content)
        return {letter.job: letter.problem for letter in found.dead_letters}

    async def busy(self) -> int:
        """How many slots of all workers are taken, as they last said."""
        answer = await self._http.get("/v1/system")
        workers = answer.raise_for_status().json()["workers"]
        return sum(int(worker["busy"]) for worker in workers.values())


@asynccontextmanager
async def client(url: str) -> AsyncIterator[Client]:
    """A client of the gateway at `url`."""
    limits = httpx.Limits(max_connections=4 * AT_ONCE)
    async with httpx.AsyncClient(base_url=url, timeout=20, limits=limits) as http:
        yield Client(http)


def orders(images: Sequence[BlobKey], number: int, *, width: int, variants: int = 1) -> list[Order]:
    """So many, no two variants of which are the same, so that none is done for another."""
    radii = (1 + n / 500 for n in count())
    return [
        Order(image, tuple(_blurred(width, next(radii)) for _ in range(variants)))
        for image in islice(cycle(images), number)
    ]


def photographs(number: int, width: int, height: int) -> Iterator[bytes]:
    """So many JPEGs, each another, with something in every part."""
    for seed in range(number):
        noise = random.Random(seed)
        small = Image.frombytes("RGB", (16, 12), noise.randbytes(16 * 12 * 3))
        buffer = io.BytesIO()
        small.resize((width, height), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=85)
        yield buffer.getvalue()


def _blurred(width: int, radius: float) -> Pipeline:
    return Pipeline(operations=(Resize(width=width), Blur(radius=radius)))
