"""A gateway as Python sees it: jobs submitted, waited for, fetched and looked after."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from contracts.jobs import OPEN_STATES, DeadLetter, Job
from contracts.operations.pipeline import Pipeline
from darkroom import files
from darkroom.errors import LATE, NOT_UNDERSTOOD, UNREACHABLE, GatewayError, refusal, retry_after
from darkroom.query import query_of
from darkroom.retries import insist, pause
from darkroom.system import System

Answer = TypeVar("Answer", bound=BaseModel)

_TIMEOUT = httpx.Timeout(30, pool=None)  # a free connection comes when another request has ended
_MOST = 1000  # items of a list: as many as a gateway gives
_KEEP_ALIVE = 4  # seconds: less than the five after which uvicorn closes an idle connection


@dataclass(frozen=True)
class Standing:
    """A job as it stands, and where its result is once it has succeeded."""

    job: Job
    result: httpx.URL | None


class Client:
    """Talks to the gateway at the origin `gateway`, over `concurrency` connections at most.

    What may pass (a lost connection, 502, 503, 504) is tried `tries` times in all, with pauses that
    grow and are never shorter than a Retry-After. Every method raises GatewayError.
    """

    def __init__(
        self,
        gateway: str,
        *,
        submitter: str | None = None,
        concurrency: int = 16,
        tries: int = 8,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._tries = tries
        self._http = httpx.AsyncClient(
            base_url=gateway,
            headers={"X-Submitter": submitter} if submitter else {},
            timeout=_TIMEOUT,
            limits=httpx.Limits(max_connections=concurrency, keepalive_expiry=_KEEP_ALIVE),
            transport=transport,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._http.aclose()

    async def submit(self, photo: Path, pipeline: Pipeline, *, key: str, wait: int = 0) -> Standing:
        """Hand a file over, and hear no later than `wait` seconds after how the job stands.

        The same `key` gives the same job again. Raises OSError as well.
        """

        async def attempt() -> httpx.Response:
            headers = {
                "Content-Length": str(await files.size(photo)),
                "Content-Type": "application/octet-stream",
                "Idempotency-Key": f'"{key}"',
                **({"Prefer": f"wait={wait}"} if wait else {}),
            }
            query = httpx.QueryParams(query_of(pipeline))
            body = files.pieces(photo)
            return await self._once("POST", "/v1/jobs", params=query, headers=headers, content=body)

        return self._standing(await insist(attempt, self._tries))

    async def wait(self, job_id: str, *, patience: float = 3600) -> Standing:
        """The job's end, asked for as often as the gateway likes, for `patience` seconds."""
        try:
            async with asyncio.timeout(patience):
                return await self._end_of(job_id)
        except TimeoutError as exc:
            detail = f"The job {job_id} goes on; it has not ended within {patience:g} s."
            raise GatewayError(LATE, detail) from exc

    async def fetch(self, result: httpx.URL, target: Path) -> None:
        """Stream a result to a file that is there once it is whole. Raises OSError as well."""
        part = target.with_name(f".{target.name}.part")

        async def attempt() -> None:
            async with self._streamed(result) as response:
                await files.write(part, response.aiter_bytes())

        try:
            await insist(attempt, self._tries)
            await asyncio.to_thread(os.replace, part, target)
        finally:
            part.unlink(missing_ok=True)

    async def job(self, job_id: str) -> Job:
        """A job as it stands."""
        return _read(Job, await self._asked("GET", f"/v1/jobs/{job_id}"))

    async def jobs(self) -> tuple[Job, ...]:
        """The jobs that are queued or running, 1,000 of them at most."""
        return _read(_Jobs, await self._asked("GET", f"/v1/jobs?limit={_MOST}")).jobs

    async def cancel(self, job_id: str) -> Job:
        """End a job; 409 `conflict` when it has ended."""
        return _read(Job, await self._asked("DELETE", f"/v1/jobs/{job_id}"))

    async def dead_letters(self) -> tuple[DeadLetter, ...]:
        """The jobs that were given up, and why; 1,000 of them at most."""
        path = f"/v1/dead-letters?limit={_MOST}"
        return _read(_DeadLetters, await self._asked("GET", path)).dead_letters

    async def requeue(self, job_id: str) -> Job:
        """Have a job that was given up done again. Tried once: a second time would be another."""
        return _read(Job, await self._once("POST", f"/v1/dead-letters/{job_id}/requeue"))

    async def system(self) -> System:
        """The workers, and what waits for them."""
        return _read(System, await self._asked("GET", "/v1/system"))

    async def _end_of(self, job_id: str) -> Standing:
        while True:
            answer = await self._asked("GET", f"/v1/jobs/{job_id}")
            standing = self._standing(answer)
            if standing.job.state not in OPEN_STATES:
                return standing
            await asyncio.sleep(pause(1, retry_after(answer) or 1))

    def _standing(self, answer: httpx.Response) -> Standing:
        """302 after a GET and 303 after a POST lead to the result, on the gateway's own origin."""
        job = _read(Job, answer)
        if answer.next_request is None:
            return Standing(job, None)
        place = answer.next_request.url
        if _origin(place) != _origin(self._http.base_url):
            raise GatewayError(NOT_UNDERSTOOD, f"The result is said to be elsewhere, at {place}.")
        return Standing(job, place)

    async def _asked(self, method: str, path: str) -> httpx.Response:
        return await insist(lambda: self._once(method, path), self._tries)

    async def _once(self, method: str, path: str, **content: Any) -> httpx.Response:
        async with self._streamed(path, method=method, **content) as response:
            await response.aread()
            return response

    @asynccontextmanager
    async def _streamed(
        self, url: httpx.URL | str, *, method: str = "GET", **content: Any
    ) -> AsyncIterator[httpx.Response]:
        try:
            async with self._http.stream(method, url, **content) as response:
                if response.is_error:
                    await response.aread()
                    raise refusal(response)
                yield response
        except httpx.RequestError as exc:
            reason = str(exc) or type(exc).__name__
            raise GatewayError(UNREACHABLE, f"{self._http.base_url}: {reason}") from exc


class _Jobs(BaseModel):
    jobs: tuple[Job, ...]


class _DeadLetters(BaseModel):
    dead_letters: tuple[DeadLetter, ...]


def _read(kind: type[Answer], answer: httpx.Response) -> Answer:
    """What an answer says. A field that a later gateway adds does no harm."""
    try:
        return kind.model_validate_json(answer.content, extra="ignore")
    except ValidationError as exc:
        detail = f"{answer.url} answered {answer.status_code} with no {kind.__name__.strip('_')}."
        raise GatewayError(NOT_UNDERSTOOD, detail) from exc


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
