"""Takers of the reply to a command: a future, or a function."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import structlog

log = structlog.get_logger(__name__)

OnReply = Callable[[Any], None]
"""Called with the reply to a command, or with the exception that took its place. Must not raise."""

Taker = asyncio.Future[Any] | OnReply


def give(reply: Any, taker: Taker) -> None:
    """Give a reply, or the exception in its place, to the future or the function that takes it."""
    if not isinstance(taker, asyncio.Future):
        try:
            taker(reply)
        except Exception as exc:
            # A bug. The event loop would close the connection, and every open command would fail.
            log.error("a reply could not be taken", exc_info=exc)
    elif taker.done():
        return
    elif isinstance(reply, Exception):
        taker.set_exception(reply)
        # The caller may have been cancelled in this same moment and never look.
        taker.exception()
    else:
        taker.set_result(reply)


async def all_of(replies: Sequence[asyncio.Future[Any]]) -> list[Any]:
    """Wait for all, so that none is left behind unread, and return or raise the first error.

    Replies come in order, so the last one is waited for: `gather` would take as long as the rest
    of a command.
    """
    try:
        with suppress(Exception):
            await replies[-1]
    except asyncio.CancelledError:
        for reply in replies:
            reply.cancel()
        raise
    errors = [reason for reply in replies if (reason := reply.exception())]
    if errors:
        raise errors[0]
    return [reply.result() for reply in replies]
