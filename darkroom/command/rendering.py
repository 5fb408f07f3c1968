"""Render image files through one pipeline into a folder, and skip files that are complete.

The idempotency key of a job is made from the file's bytes and the pipeline, so a later run finds
the jobs that exist already, running or ended.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import Code
from contracts.formats import suffix_of
from contracts.jobs import OPEN_STATES, Job
from contracts.operations.pipeline import Pipeline
from contracts.retries import REPLAYABLE
from darkroom.client import Client
from darkroom.command.manifest import Manifest
from darkroom.errors import CANCELLED, GatewayError, error_of_failure
from darkroom.idempotency import key_of
from darkroom.sources import SourceFile

_WAIT = 15  # seconds that the gateway holds back its answer to a submission until the job's end
_EXPIRED = frozenset({Code.GONE, Code.NOT_FOUND})
_REPEATABLE = REPLAYABLE | {CANCELLED}


@dataclass(frozen=True)
class Rendered:
    """The result has been written to `target`."""

    source: SourceFile
    target: Path


@dataclass(frozen=True)
class AlreadyComplete:
    """The result at `target` is complete from an earlier run."""

    source: SourceFile
    target: Path


@dataclass(frozen=True)
class Failed:
    """There is no result. `is_transient` means that the gateway was not available."""

    source: SourceFile
    code: str
    detail: str
    is_transient: bool


Outcome = Rendered | AlreadyComplete | Failed


class Rendering:
    """Renders files with one pipeline; waits at most `timeout` seconds for each job's end."""

    def __init__(
        self, client: Client, manifest: Manifest, pipeline: Pipeline, *, timeout: float
    ) -> None:
        self._client = client
        self._manifest = manifest
        self._pipeline = pipeline
        self._timeout = timeout

    async def render_all(
        self,
        sources: Sequence[SourceFile],
        report: Callable[[Outcome], None],
        *,
        concurrency: int,
    ) -> int:
        """Render what is not complete, `concurrency` files at a time; report each outcome.

        Stops after `concurrency` transient failures in a row: the gateway is not available. Returns
        the number of files that were not tried.
        """
        self._manifest.protect(sources)
        remaining = deque((source, self._choose_target(source)) for source in sources)
        failures_in_a_row = 0

        async def work() -> None:
            nonlocal failures_in_a_row
            while remaining and failures_in_a_row < concurrency:
                outcome = await self._outcome(*remaining.popleft())
                is_transient = isinstance(outcome, Failed) and outcome.is_transient
                failures_in_a_row = failures_in_a_row + 1 if is_transient else 0
                report(outcome)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(concurrency, len(remaining))):
                group.create_task(work())
        return len(remaining)

    def _choose_target(self, source: SourceFile) -> Path:
        suffix = self._pipeline.output.expected_suffix(source.path.suffix)
        return self._manifest.choose_target(source, suffix)

    async def _outcome(self, source: SourceFile, target: Path) -> Outcome:
        try:
            key = await key_of(source.path, self._pipeline)
            if complete := self._manifest.complete_result(source, key):
                return AlreadyComplete(source, complete)
            return Rendered(source, await self._render(source, target, key))
        except GatewayError as exc:
            return Failed(source, exc.code, exc.detail, exc.is_transient)
        except OSError as exc:
            return Failed(source, "file", str(exc), is_transient=False)

    async def _render(self, source: SourceFile, target: Path, key: str) -> Path:
        """Render with the key's current job; with the next one when its result has expired."""
        attempt = self._manifest.attempt(source, key)
        try:
            return await self._render_attempt(source, target, key, attempt)
        except GatewayError as exc:
            expired = exc.code in _EXPIRED
            job_failed = exc.status is None and exc.code in _REPEATABLE
            if expired or job_failed:
                # The gateway keeps the old job under its key; a new job needs another key.
                self._manifest.reserve(target, source, key, attempt + 1)
            if not expired:
                raise
        return await self._render_attempt(source, target, key, attempt + 1)

    async def _render_attempt(
        self, source: SourceFile, target: Path, key: str, attempt: int
    ) -> Path:
        job_key = key if attempt == 1 else f"{key}-{attempt}"
        wait = min(_WAIT, int(self._timeout))
        status = await self._client.submit(source.path, self._pipeline, key=job_key, wait=wait)
        if status.job.state in OPEN_STATES:
            status = await self._client.wait(status.job.id, timeout=self._timeout)
        if status.result is None:
            raise _error_of(status.job)
        (outcome,) = status.job.results
        assert outcome.blob is not None
        suffix = suffix_of(outcome.blob.media_type)
        if suffix != target.suffix:
            # The source's bytes are of another format than its file name says.
            target = self._manifest.choose_target(source, suffix)
        self._manifest.reserve(target, source, key, attempt)
        await self._client.fetch(status.result, target)
        self._manifest.mark_complete(target)
        return target


def _error_of(job: Job) -> GatewayError:
    if job.problem is None:
        return GatewayError(CANCELLED, f"The job {job.id} was cancelled.")
    return error_of_failure(job.problem)
