"""Read and write files in chunks and in threads: large files use little memory."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

_CHUNK = 256 * 1024  # bytes


async def chunks(path: Path) -> AsyncIterator[bytes]:
    """Yield the bytes of a file. Raises OSError."""
    file = await asyncio.to_thread(path.open, "rb")
    with file:
        while chunk := await asyncio.to_thread(file.read, _CHUNK):
            yield chunk


async def size(path: Path) -> int:
    """Return the size of a file in bytes. Raises OSError."""
    return (await asyncio.to_thread(path.stat)).st_size


async def write(path: Path, chunks: AsyncIterator[bytes]) -> None:
    """Write chunks to a file, replacing its content. Raises OSError."""
    # Opened here: a thread could create the file after a cancelled caller has deleted it.
    with path.open("wb") as file:
        async for chunk in chunks:
            await asyncio.to_thread(file.write, chunk)
