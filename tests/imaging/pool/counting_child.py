"""A pool process for tests that renders, and reports the number of decodes as `decode_ms`."""

import ctypes
import os
import time
from dataclasses import replace
from typing import Any

from services.imaging.engine import pipeline
from services.imaging.engine.decoding import decode
from services.imaging.pool import child, tasks
from services.imaging.pool.messages import CALLS

CRASHES, SLEEPS = 13, 14
"""Widths of renditions at which the process crashes, or sleeps for a minute."""

_decode, _run = decode.decode, pipeline.run
_drafts: list[decode.Draft] = []


def _counted_decode(source: Any, draft: decode.Draft = decode.EVERY_PIXEL) -> decode.Decoded:
    _drafts.append(draft)
    return _decode(source, draft)


def _counted_run(*args: Any) -> pipeline.Rendition:
    _drafts.clear()
    rendition = _run(*args)
    if rendition.width == CRASHES:
        ctypes.string_at(0)
    if rendition.width == SLEEPS:
        time.sleep(60)
    return replace(rendition, decode_ms=float(len(_drafts)))


if __name__ == "__main__":
    for module, name, function in (
        (decode, "decode", _counted_decode),
        (pipeline, "run", _counted_run),
    ):
        setattr(module, name, function)
    child._REST_AFTER = float(os.environ.get("REST_AFTER", "60"))
    child.serve(CALLS, tasks.perform, tasks.warm_up, tasks.rest)
