"""Photographs taken through one pipeline into an album, so that a second time does only the rest.

The key of a job is made from the photograph's bytes and the pipeline, so whoever asks for the same
again is given the job that is there, running or done.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import REPLAYABLE, Code
from contracts.formats import suffix_of
from contracts.jobs import OPEN_STATES, Job
from contracts.operations.pipeline import Pipeline
from darkroom.client import Client
from darkroom.errors import CANCELLED, GatewayError, failure
from darkroom.idempotency import key_of
from darkroom.manifest import Album
from darkroom.photos import Photo

_WAIT = 15  # seconds that the gateway is asked to keep an answer back for, to say how it ended
_EXPIRED = frozenset({Code.GONE, Code.NOT_FOUND})
_IN_VAIN = REPLAYABLE | {CANCELLED}


@dataclass(frozen=True)
class Rendered:
    """The result has been written."""

    photo: Photo
    target: Path


@dataclass(frozen=True)
class Kept:
    """The result was there from another time."""

    photo: Photo
    target: Path


@dataclass(frozen=True)
class Failed:
    """There is no result; `may_pass` is about the gateway, not about the photograph."""

    photo: Photo
    code: str
    detail: str
    may_pass: bool


Outcome = Rendered | Kept | Failed


class Rendering:
    """One pipeline, from photographs into an album."""

    def __init__(
        self, client: Client, album: Album, pipeline: Pipeline, *, patience: float
    ) -> None:
        self._client = client
        self._album = album
        self._pipeline = pipeline
        self._patience = patience

    async def render_all(
        self, photos: Sequence[Photo], tell: Callable[[Outcome], None], *, at_once: int
    ) -> int:
        """Render what is not there yet and tell each outcome; how many were not even tried.

        It gives up when nothing but the gateway's absence has come of `at_once` in a row.
        """
        self._album.protect(photos)
        waiting = deque((photo, self._place(photo)) for photo in photos)
        in_vain = 0

        async def work() -> None:
            nonlocal in_vain
            while waiting and in_vain < at_once:
                outcome = await self._outcome(*waiting.popleft())
                away = isinstance(outcome, Failed) and outcome.may_pass
                in_vain = in_vain + 1 if away else 0
                tell(outcome)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(at_once, len(waiting))):
                group.create_task(work())
        return len(waiting)

    def _place(self, photo: Photo) -> Path:
        suffix = self._pipeline.output.expected_suffix(photo.path.suffix)
        return self._album.place(photo, suffix)

    async def _outcome(self, photo: Photo, target: Path) -> Outcome:
        try:
            key = await key_of(photo.path, self._pipeline)
            if held := self._album.held(photo, key):
                return Kept(photo, held)
            return Rendered(photo, await self._rendered(photo, target, key))
        except GatewayError as exc:
            return Failed(photo, exc.code, exc.detail, exc.may_pass)
        except OSError as exc:
            return Failed(photo, "file", str(exc), may_pass=False)

    async def _rendered(self, photo: Photo, target: Path, key: str) -> Path:
        turn = self._album.turn(photo, key)
        try:
            return await self._take_turn(photo, target, key, turn)
        except GatewayError as exc:
            expired = exc.code in _EXPIRED
            ended_in_vain = exc.status is None and exc.code in _IN_VAIN
            if expired or ended_in_vain:
                # The key goes on standing for that job; it takes another key to make another.
                self._album.claim(target, photo, key, turn + 1)
            if not expired:
                raise
        return await self._take_turn(photo, target, key, turn + 1)

    async def _take_turn(self, photo: Photo, target: Path, key: str, turn: int) -> Path:
        own_key = key if turn == 1 else f"{key}-{turn}"
        wait = min(_WAIT, int(self._patience))
        ended = await self._client.submit(photo.path, self._pipeline, key=own_key, wait=wait)
        if ended.job.state in OPEN_STATES:
            ended = await self._client.wait(ended.job.id, patience=self._patience)
        if ended.result is None:
            raise _reason(ended.job)
        (outcome,) = ended.job.results
        assert outcome.blob is not None
        suffix = suffix_of(outcome.blob.media_type)
        if suffix != target.suffix:
            # The bytes are of another format than the photograph's name says.
            target = self._album.place(photo, suffix)
        self._album.claim(target, photo, key, turn)
        await self._client.fetch(ended.result, target)
        self._album.complete(target)
        return target


def _reason(job: Job) -> GatewayError:
    if job.problem is None:
        return GatewayError(CANCELLED, f"The job {job.id} was cancelled.")
    return failure(job.problem)
