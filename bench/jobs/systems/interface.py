"""The interface of a compared system: a module with the function of `System`."""

from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

KEPT = 3600  # seconds that images and results stay in Redis
POLL = 0.005  # seconds between two polls, for systems whose clients poll

IMAGE, RESULT = "image:", "result:"  # key prefixes, for systems without a store of their own


class JobFailed(Exception):
    """A job has ended without success."""


class Client(Protocol):
    """A client of a system. An image is named by the string that `store` returns."""

    waiters: int
    """Number of jobs whose ends are awaited at once in a burst; small for systems that poll."""

    async def store(self, data: bytes) -> str:
        """Store an image and return its name."""

    async def submit(self, image: str) -> Any:
        """Submit a job for an image; return the job once it has been accepted."""

    async def ended(self, job: Any) -> None:
        """Return once the job has succeeded; raise an exception when it ended otherwise."""

    async def result(self, job: Any) -> bytes:
        """Look up the bytes of a succeeded job's result."""


class System(Protocol):
    """A module of `bench.jobs.systems`."""

    def calling(self, url: str) -> AbstractAsyncContextManager[Client]:
        """Connect a client; `url` is the gateway's, or the Valkey's without a gateway."""
