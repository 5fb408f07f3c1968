"""Files read and written in pieces, off the event loop: however large, they take little memory."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

_PIECE = 256 * 1024  # bytes


async def pieces(path: Path) -> AsyncIterator[bytes]:
    """The bytes of a file. Raises OSError."""
    file = await asyncio.to_thread(path.open, "rb")
    with file:
        while piece := await asyncio.to_thread(file.read, _PIECE):
            yield piece


async def size(path: Path) -> int:
    """How many bytes a file has. Raises OSError."""
    return (await asyncio.to_thread(path.stat)).st_size


async def write(path: Path, pieces: AsyncIterator[bytes]) -> None:
    """Make a file of what comes; what was there before is gone. Raises OSError."""
    # Here and not in a thread, which would make it once whoever was cancelled has cleaned up.
    with path.open("wb") as file:
        async for piece in pieces:
            await asyncio.to_thread(file.write, piece)
