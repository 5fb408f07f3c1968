"""taskiq behind a small FastAPI application: POST a task, receive its end over a WebSocket."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from pydantic import BaseModel
from taskiq import AsyncTaskiqTask

from bench.jobs.systems.http import Http
from bench.jobs.systems.interface import POLL, JobFailed
from bench.jobs.systems.redis_images import RedisImages
from bench.jobs.systems.taskiq import broker, redis, task
from bench.jobs.systems.websocket import subscribed

POLLERS = 4  # tasks that poll for results, as many as without HTTP


class Submission(BaseModel):
    image: str


@asynccontextmanager
async def started(_: FastAPI) -> AsyncIterator[None]:
    await broker.startup()
    yield
    await broker.shutdown()


app = FastAPI(lifespan=started)


@app.get("/health/live")
async def live() -> None:
    """Answer 200: the process runs."""


@app.post("/jobs", status_code=202)
async def submit(submission: Submission) -> dict[str, str]:
    return {"id": (await task.kiq(submission.image)).task_id}


@app.get("/jobs/{job}")
async def look_up(job: str) -> dict[str, Any]:
    return {"image": (await broker.result_backend.get_result(job)).return_value}


@app.websocket("/live")
async def push(socket: WebSocket) -> None:
    await socket.accept()
    jobs: asyncio.Queue[str] = asyncio.Queue()

    async def poll_results() -> None:
        while True:
            job = await jobs.get()
            found: Any = AsyncTaskiqTask(job, broker.result_backend)
            result = await found.wait_result(check_interval=POLL)
            await socket.send_json({"id": job, "failed": result.is_err})

    pollers = [asyncio.create_task(poll_results()) for _ in range(POLLERS)]
    try:
        while True:
            for job in await socket.receive_json():
                jobs.put_nowait(job)
    except WebSocketDisconnect:
        for poller in pollers:
            poller.cancel()


class Client:
    waiters = 64

    def __init__(self, http: Http) -> None:
        self._http = http
        self._images = RedisImages(redis)
        self.store = self._images.store
        self.posted: asyncio.Queue[str] = asyncio.Queue()
        self._ends: defaultdict[str, asyncio.Future[bool]] = defaultdict(asyncio.Future)

    async def submit(self, image: str) -> str:
        body = json.dumps({"image": image}).encode()
        job = str(json.loads(await self._http.request("POST", "/jobs", body, expected=202))["id"])
        self.posted.put_nowait(job)
        return job

    def on_message(self, text: str | bytes) -> None:
        event = json.loads(text)
        self._ends[event["id"]].set_result(event["failed"])

    async def ended(self, job: str) -> None:
        if await self._ends[job]:
            raise JobFailed

    async def result(self, job: str) -> bytes:
        found = json.loads(await self._http.request("GET", f"/jobs/{job}", expected=200))
        return await self._images.result(found["image"])


@asynccontextmanager
async def calling(url: str) -> AsyncIterator[Client]:
    place = urlsplit(url)
    client = Client(Http(place.hostname or "", place.port or 0))
    live = f"ws://{place.netloc}/live"
    async with subscribed(live, client.posted, json.dumps, client.on_message):
        yield client
