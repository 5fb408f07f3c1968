"""taskiq behind a small FastAPI: tasks are posted, and their ends pushed over a WebSocket."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from pydantic import BaseModel
from taskiq import AsyncTaskiqTask  # type: ignore[import-not-found]

from bench.jobs.systems.http import Http
from bench.jobs.systems.interface import POLL, JobFailed
from bench.jobs.systems.redis_images import Bytes
from bench.jobs.systems.websocket import pushes
from bench.jobs.systems.taskiq import broker, redis, task

LOOKERS = 4  # as many as look where there is no HTTP


class Wanted(BaseModel):
    image: str


@asynccontextmanager
async def started(_: FastAPI) -> AsyncIterator[None]:
    await broker.startup()
    yield
    await broker.shutdown()


app = FastAPI(lifespan=started)


@app.get("/health/live")
async def live() -> None:
    """Say that it runs."""


@app.post("/jobs", status_code=202)
async def submit(wanted: Wanted) -> dict[str, str]:
    return {"id": (await task.kiq(wanted.image)).task_id}


@app.get("/jobs/{job}")
async def look_up(job: str) -> dict[str, Any]:
    return {"image": (await broker.result_backend.get_result(job)).return_value}


@app.websocket("/live")
async def push(socket: WebSocket) -> None:
    await socket.accept()
    jobs: asyncio.Queue[str] = asyncio.Queue()

    async def look() -> None:
        while True:
            job = await jobs.get()
            found: Any = AsyncTaskiqTask(job, broker.result_backend)
            result = await found.wait_result(check_interval=POLL)
            await socket.send_json({"id": job, "failed": result.is_err})

    lookers = [asyncio.create_task(look()) for _ in range(LOOKERS)]
    try:
        while True:
            for job in await socket.receive_json():
                jobs.put_nowait(job)
    except WebSocketDisconnect:
        for looker in lookers:
            looker.cancel()


class Client:
    watchers = 64

    def __init__(self, http: Http) -> None:
        self._http = http
        self._bytes = Bytes(redis)
        self.store = self._bytes.store
        self.posted: asyncio.Queue[str] = asyncio.Queue()
        self._ends: defaultdict[str, asyncio.Future[bool]] = defaultdict(asyncio.Future)

    async def submit(self, image: str) -> str:
        body = json.dumps({"image": image}).encode()
        job = str(json.loads(await self._http.ask("POST", "/jobs", body, hoped=202))["id"])
        self.posted.put_nowait(job)
        return job

    def hear(self, text: str | bytes) -> None:
        event = json.loads(text)
        self._ends[event["id"]].set_result(event["failed"])

    async def ended(self, job: str) -> None:
        if await self._ends[job]:
            raise JobFailed

    async def result(self, job: str) -> bytes:
        found = json.loads(await self._http.ask("GET", f"/jobs/{job}", hoped=200))
        return await self._bytes.result(found["image"])


@asynccontextmanager
async def calling(url: str) -> AsyncIterator[Client]:
    place = urlsplit(url)
    client = Client(Http(place.hostname or "", place.port or 0))
    async with pushes(f"ws://{place.netloc}/live", client.posted, json.dumps, client.hear):
        yield client
