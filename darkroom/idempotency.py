"""The idempotency key of a render: the same for the same bytes and the same pipeline."""

import asyncio
import hashlib
from functools import partial
from pathlib import Path

from contracts.operations.pipeline import Pipeline


async def key_of(source: Path, pipeline: Pipeline) -> str:
    """Return the SHA-256, in hex, of the pipeline and the file's bytes. Raises OSError."""
    return await asyncio.to_thread(_digest, source, pipeline)


def _digest(source: Path, pipeline: Pipeline) -> str:
    prefix = f"{pipeline.model_dump_json()}\n".encode()
    with source.open("rb") as file:
        return hashlib.file_digest(file, partial(hashlib.sha256, prefix)).hexdigest()
