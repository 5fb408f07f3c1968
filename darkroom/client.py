"""Client of a gateway: submit jobs and fetch their results, upload images, list and change both."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

import httpx
from pydantic import BaseModel

from contracts.access.presets import Preset
from contracts.jobs import OPEN_STATES, DeadLetter, Job
from contracts.labels import label_of_file
from contracts.operations.pipeline import Pipeline
from darkroom import files
from darkroom.answers import parse
from darkroom.errors import (
    LATE,
    NOT_UNDERSTOOD,
    UNREACHABLE,
    GatewayError,
    error_of_response,
    retry_after,
)
from darkroom.images import ImagePage, KeptImage
from darkroom.keys import Keys
from darkroom.query import query_of
from darkroom.retries import retry, retry_delay
from darkroom.system import System

KEY_VARIABLE = "DARKROOM_KEY"
"""The environment variable from which a client without `key=` takes its key."""

_TIMEOUT = httpx.Timeout(30, pool=None)  # no pool timeout: a request waits for a free connection
_MAX_ITEMS = 1000  # of a list: the maximum that a gateway returns
_KEEP_ALIVE = 4  # seconds: below the five after which uvicorn closes an idle connection


@dataclass(frozen=True)
class JobStatus:
    """A job, and the URL of its result once the job has succeeded."""

    job: Job
    result: httpx.URL | None


class Client:
    """Client of the gateway at the origin `gateway`, with at most `concurrency` connections.

    A transient failure (a lost connection, 502, 503, 504, 507, and 429 if a limit ends within a
    minute) is retried up to `attempts` attempts in all, with increasing delays that are never
    shorter than Retry-After. Every method raises
    GatewayError. Use the client as an async context manager.

    `key` is the key that each request has; without it, that of the variable `DARKROOM_KEY`, if the
    environment has one. `keys` makes and revokes keys.
    """

    def __init__(
        self,
        gateway: str,
        *,
        key: str | None = None,
        submitter: str | None = None,
        concurrency: int = 16,
        attempts: int = 8,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._attempts = attempts
        key = key or os.environ.get(KEY_VARIABLE)
        self._http = httpx.AsyncClient(
            base_url=gateway,
            headers={
                **({"Authorization": f"Bearer {key.strip()}"} if key else {}),
                **({"X-Submitter": submitter} if submitter else {}),
            },
            timeout=_TIMEOUT,
            limits=httpx.Limits(max_connections=concurrency, keepalive_expiry=_KEEP_ALIVE),
            transport=transport,
        )
        self.keys = Keys(self._request, self._request_once)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._http.aclose()

    async def submit(
        self, source: Path, pipeline: Pipeline, *, key: str, wait: int = 0
    ) -> JobStatus:
        """Submit a file as a job under the idempotency key `key`; the same key gives the same job.

        The file's name is the label of the job.
        The gateway holds its answer back for at most `wait` seconds, until the job has ended.
        Raises OSError when the file cannot be read.
        """

        query = (*query_of(pipeline), ("label", label_of_file(source.name)))
        headers = {
            "Idempotency-Key": f'"{key}"',
            **({"Prefer": f"wait={wait}"} if wait else {}),
        }
        return self._job_status(await self._send_file("/v1/jobs", source, query, headers))

    async def wait(self, job_id: str, *, timeout: float = 3600) -> JobStatus:
        """Poll a job at the pace of Retry-After until it has ended.

        Raises GatewayError with code `late` after `timeout` seconds.
        """
        try:
            async with asyncio.timeout(timeout):
                return await self._poll(job_id)
        except TimeoutError as exc:
            detail = f"The job {job_id} has not ended within {timeout:g} s; it continues."
            raise GatewayError(LATE, detail) from exc

    async def fetch(self, result: httpx.URL, target: Path) -> None:
        """Stream a result to the file `target`, which appears once it is complete.

        Raises OSError when the file cannot be written.
        """
        part = target.with_name(f".{target.name}.part")

        async def attempt() -> None:
            async with self._stream(result) as response:
                await files.write(part, response.aiter_bytes())

        try:
            await retry(attempt, self._attempts)
            await asyncio.to_thread(os.replace, part, target)
        finally:
            part.unlink(missing_ok=True)

    async def fetch_source(self, src: str, pipeline: Pipeline, target: Path) -> None:
        """Stream an image of a source, after a pipeline, to the file `target`; raises as `fetch`.

        `src` is a URL that a source of the gateway allows, or its name and a path: `site:a.jpg`.
        """
        query = urlencode((("src", src), *query_of(pipeline)))
        await self.fetch(httpx.URL(f"/v1/fetch?{query}"), target)

    async def upload(self, source: Path, *, ttl: int | None = None) -> KeptImage:
        """Upload a file, whose name becomes the label of the image.

        It is kept until it is deleted; for `ttl` seconds at least, if they are given, or for the
        time that the gateway's settings name. Raises OSError when the file cannot be read.
        """
        life = (("ttl", str(ttl)),) if ttl else ()
        query = (("label", label_of_file(source.name)), *life)
        return parse(KeptImage, await self._send_file("/v1/images", source, query, {}))

    async def images(self) -> AsyncIterator[KeptImage]:
        """Yield the images that were uploaded, newest first; each page is asked for when needed."""
        address: str | None = f"/v1/images?limit={_MAX_ITEMS}"
        while address is not None:
            page = parse(ImagePage, await self._request("GET", address))
            for image in page.images:
                yield image
            address = str(self._own(page.next)) if page.next else None

    async def label(self, image_id: str, label: str) -> KeptImage:
        """Give an image another label; an empty one takes its label away."""
        return await self._change_image(image_id, {"label": label})

    async def set_ttl(self, image_id: str, ttl: int | None) -> KeptImage:
        """Let an image expire in `ttl` seconds, or keep it until it is deleted."""
        return await self._change_image(image_id, {"ttl": ttl})

    async def delete(self, image_id: str) -> None:
        """Delete an image and everything that was made from it."""
        await self._request("DELETE", f"/v1/images/{image_id}")

    async def job(self, job_id: str) -> Job:
        """Return a job."""
        return parse(Job, await self._request("GET", f"/v1/jobs/{job_id}"))

    async def jobs(self) -> tuple[Job, ...]:
        """Return the jobs that are queued or running, at most 1,000."""
        return parse(_Jobs, await self._request("GET", f"/v1/jobs?limit={_MAX_ITEMS}")).jobs

    async def cancel(self, job_id: str) -> Job:
        """Cancel a job; raise GatewayError `conflict`, status 409, when the job has ended."""
        return parse(Job, await self._request("DELETE", f"/v1/jobs/{job_id}"))

    async def dead_letters(self) -> tuple[DeadLetter, ...]:
        """Return the dead letters: jobs that failed after all attempts; at most 1,000."""
        path = f"/v1/dead-letters?limit={_MAX_ITEMS}"
        return parse(_DeadLetters, await self._request("GET", path)).dead_letters

    async def requeue(self, job_id: str) -> Job:
        """Queue a dead letter's job again. Never retried: a second request would requeue twice."""
        path = f"/v1/dead-letters/{job_id}/requeue"
        return parse(Job, await self._request_once("POST", path))

    async def presets(self) -> tuple[Preset, ...]:
        """Return the presets that the gateway has for this client's project."""
        return parse(_Presets, await self._request("GET", "/v1/presets")).presets

    async def system(self) -> System:
        """Return the workers, the queues and the backlog of jobs."""
        return parse(System, await self._request("GET", "/v1/system"))

    async def _poll(self, job_id: str) -> JobStatus:
        while True:
            answer = await self._request("GET", f"/v1/jobs/{job_id}")
            status = self._job_status(answer)
            if status.job.state not in OPEN_STATES:
                return status
            await asyncio.sleep(retry_delay(1, retry_after(answer) or 1))

    def _job_status(self, answer: httpx.Response) -> JobStatus:
        """Read a job; the redirect (302 to a GET, 303 to a POST) has the URL of its result.

        Raises GatewayError for a URL on another origin than the gateway's.
        """
        job = parse(Job, answer)
        if answer.next_request is None:
            return JobStatus(job, None)
        return JobStatus(job, self._own(answer.next_request.url))

    def _own(self, url: httpx.URL | str) -> httpx.URL:
        """Return the URL of an address that the gateway names. Raises GatewayError."""
        whole = self._http.base_url.join(url)
        if _origin(whole) != _origin(self._http.base_url):
            detail = f"The gateway leads to another origin, {whole}."
            raise GatewayError(NOT_UNDERSTOOD, detail)
        return whole

    async def _change_image(self, image_id: str, change: dict[str, Any]) -> KeptImage:
        answer = await self._request("PUT", f"/v1/images/{image_id}", json=change)
        return parse(KeptImage, answer)

    async def _send_file(
        self, path: str, source: Path, query: Sequence[tuple[str, str]], headers: dict[str, str]
    ) -> httpx.Response:
        async def attempt() -> httpx.Response:
            all_headers = {
                "Content-Length": str(await files.size(source)),
                "Content-Type": "application/octet-stream",
                **headers,
            }
            params = httpx.QueryParams(tuple(query))
            body = files.chunks(source)
            return await self._request_once(
                "POST", path, params=params, headers=all_headers, content=body
            )

        return await retry(attempt, self._attempts)

    async def _request(self, method: str, path: str, **content: Any) -> httpx.Response:
        return await retry(lambda: self._request_once(method, path, **content), self._attempts)

    async def _request_once(self, method: str, path: str, **content: Any) -> httpx.Response:
        async with self._stream(path, method=method, **content) as response:
            await response.aread()
            return response

    @asynccontextmanager
    async def _stream(
        self, url: httpx.URL | str, *, method: str = "GET", **content: Any
    ) -> AsyncIterator[httpx.Response]:
        """Send a request and yield its response; raise GatewayError for every failure."""
        try:
            async with self._http.stream(method, url, **content) as response:
                if response.is_error:
                    await response.aread()
                    raise error_of_response(response)
                yield response
        except httpx.RequestError as exc:
            reason = str(exc) or type(exc).__name__
            raise GatewayError(UNREACHABLE, f"{self._http.base_url}: {reason}") from exc


class _Jobs(BaseModel):
    jobs: tuple[Job, ...]


class _Presets(BaseModel):
    presets: tuple[Preset, ...]


class _DeadLetters(BaseModel):
    dead_letters: tuple[DeadLetter, ...]


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
