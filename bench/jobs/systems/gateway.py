"""Darkroom as its clients see it: jobs are posted, and their ends pushed over a WebSocket."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from bench.jobs.workload import PIPELINE
from bench.jobs.systems.job_ends import Ends
from bench.jobs.systems.http import Http
from bench.jobs.systems.websocket import pushes
from services.runtime.redis.client import make_redis
from services.runtime.settings import RuntimeSettings
from services.runtime.storage.blobs import Blobs, Kind


class Client:
    watchers = 64

    def __init__(self, http: Http, images: Blobs, ends: Ends) -> None:
        self._http = http
        self._images = images
        self._ends = ends
        self._variants = [PIPELINE.model_dump(mode="json")]
        self.posted: asyncio.Queue[str] = asyncio.Queue()

    async def store(self, data: bytes) -> str:
        # What POST /v1/images does, without its question what the image is.
        return (await self._images.keep(data, ttl=3600)).blob.key

    async def submit(self, image: str) -> str:
        body = {"source": {"image": image}, "variants": self._variants}
        answer = await self._http.ask("POST", "/v1/jobs", json.dumps(body).encode(), hoped=202)
        job = str(json.loads(answer)["id"])
        self.posted.put_nowait(job)
        return job

    async def ended(self, job: str) -> None:
        await self._ends.wait(job)

    async def result(self, job: str) -> bytes:
        return await self._http.ask("GET", f"/v1/jobs/{job}/results/0", hoped=200)


@asynccontextmanager
async def calling(url: str) -> AsyncIterator[Client]:
    place = urlsplit(url)
    http, ends = Http(place.hostname or "", place.port or 0), Ends()
    client = Client(http, Blobs(make_redis(RuntimeSettings()), Kind.IMAGE), ends)
    async with pushes(f"ws://{place.netloc}/v1/live", client.posted, _ask, ends.hear_text):
        yield client


def _ask(jobs: list[str]) -> str:
    return json.dumps({"watch": jobs})
