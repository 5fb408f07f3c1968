"""The interface of a compared system: a module with the two functions of `System`."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from bench.rpc.load import Call


class System(Protocol):
    """A module of `bench.rpc.systems`. `url` is the server's, `transport` the contender's."""

    async def serve(self, url: str, transport: str) -> None:
        """Echo every text until the process ends."""

    def calling(self, url: str, transport: str) -> AbstractAsyncContextManager[Call]:
        """Connect a caller; yield the function that has a text echoed."""
