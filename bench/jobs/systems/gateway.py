"""Darkroom through its gateway: POST a job, receive its end over a WebSocket."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from bench.jobs.systems.http import Http
from bench.jobs.systems.job_ends import JobEnds
from bench.jobs.systems.websocket import subscribed
from bench.jobs.workload import PIPELINE
from services.runtime.redis.client import make_redis
from services.runtime.settings import RuntimeSettings
from services.runtime.storage.images import Images
from services.runtime.storage.setup import make_storage
from services.runtime.telemetry.metrics import Metrics


class Client:
    waiters = 64

    def __init__(self, http: Http, images: Images, ends: JobEnds) -> None:
        self._http = http
        self._images = images
        self._ends = ends
        self._variants = [PIPELINE.model_dump(mode="json")]
        self.posted: asyncio.Queue[str] = asyncio.Queue()

    async def store(self, data: bytes) -> str:
        # As POST /v1/images stores an image, without the inspection.
        return (await self._images.keep_bytes(data, ttl=3600)).blob.key

    async def submit(self, image: str) -> str:
        body = json.dumps({"source": {"image": image}, "variants": self._variants}).encode()
        answer = await self._http.request("POST", "/v1/jobs", body, expected=202)
        job = str(json.loads(answer)["id"])
        self.posted.put_nowait(job)
        return job

    async def ended(self, job: str) -> None:
        await self._ends.wait(job)

    async def result(self, job: str) -> bytes:
        return await self._http.request("GET", f"/v1/jobs/{job}/results/0", expected=200)


@asynccontextmanager
async def calling(url: str) -> AsyncIterator[Client]:
    place = urlsplit(url)
    http, ends = Http(place.hostname or "", place.port or 0), JobEnds()
    settings = RuntimeSettings()
    images = Images(make_storage(settings, make_redis(settings), Metrics()))
    client = Client(http, images, ends)
    live = f"ws://{place.netloc}/v1/live"
    async with subscribed(live, client.posted, _subscription, ends.on_text):
        yield client


def _subscription(jobs: list[str]) -> str:
    return json.dumps({"watch": jobs})
