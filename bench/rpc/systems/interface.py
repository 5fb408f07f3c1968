"""What a compared system is: a module with these two functions."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from bench.rpc.load import Call


class System(Protocol):
    """Its modules import nothing of the project, except for `darkroom`: each has its own packages.

    A call that has no answer after `bench.rpc.load.TIMEOUT` seconds raises something.
    """

    async def serve(self, url: str, transport: str) -> None:
        """Echo every text, until the process ends."""

    def calling(self, url: str, transport: str) -> AbstractAsyncContextManager[Call]:
        """The function that has a text echoed."""
