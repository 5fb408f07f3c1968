"""What a compared system's client is: a module with `calling`."""

from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

KEPT = 3600  # seconds an image and a result stay in Redis
POLL = 0.005  # seconds between two looks, for what has to look

IMAGE, RESULT = "image:", "result:"  # the keys of those who have no place of their own for bytes


class JobFailed(Exception):
    """The system says that a job has ended, and not well."""


class Client(Protocol):
    """The modules of the others import nothing of the project but what is rendered."""

    watchers: int
    """How many ends are awaited at once in a burst: a few where each is a look every `POLL`."""

    async def store(self, data: bytes) -> str:
        """Keep an image; its name."""

    async def submit(self, image: str) -> Any:
        """A job for it, once that has been accepted."""

    async def ended(self, job: Any) -> None:
        """Return when the job has ended well; raise if it has ended otherwise."""

    async def result(self, job: Any) -> bytes:
        """What it gave, looked up."""


class System(Protocol):
    """A module of `bench.jobs.systems`."""

    def calling(self, url: str) -> AbstractAsyncContextManager[Client]:
        """A client of the system whose Valkey, or gateway, is at `url`."""
