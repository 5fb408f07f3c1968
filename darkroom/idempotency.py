"""The name of a piece of work: the same photograph through the same pipeline has the same one."""

import asyncio
import hashlib
from functools import partial
from pathlib import Path

from contracts.operations.pipeline import Pipeline


async def key_of(photo: Path, pipeline: Pipeline) -> str:
    """SHA-256, in hex, over the pipeline and the file's bytes. Raises OSError."""
    return await asyncio.to_thread(_digest, photo, pipeline)


def _digest(photo: Path, pipeline: Pipeline) -> str:
    question = f"{pipeline.model_dump_json()}\n".encode()
    with photo.open("rb") as file:
        return hashlib.file_digest(file, partial(hashlib.sha256, question)).hexdigest()
