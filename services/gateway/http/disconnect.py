"""Nobody works for a client that has left: its call is cancelled, and the worker hears of it."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

ResultT = TypeVar("ResultT")


async def unless_left(request: Request, call: Coroutine[Any, Any, ResultT]) -> ResultT:
    """What `call` gives, for a request whose body has been read.

    Raises ClientDisconnect once nobody waits for it any more.
    """
    work = asyncio.create_task(call)
    leaving = asyncio.create_task(_left(request))
    try:
        await asyncio.wait({work, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise ClientDisconnect
        return work.result()
    finally:
        work.cancel()
        leaving.cancel()
        await asyncio.gather(work, leaving, return_exceptions=True)


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
