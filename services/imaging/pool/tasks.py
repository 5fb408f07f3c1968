"""The tasks of a pool process: read the source, run the pipeline, return the rendition.

Plain blocking code, which has nothing but the call and the files that came with it.
"""

import math
import time
from collections import deque
from dataclasses import dataclass, replace
from functools import cache
from typing import assert_never

from contracts.errors import Failure, ImageUnreadable, ServiceError, UnsupportedFormat
from contracts.imaging import Depth, Inspect, Inspected, Render
from services.imaging.engine import pipeline
from services.imaging.engine.cost import HeavyWork
from services.imaging.engine.decoding import decode
from services.imaging.engine.inspection.inspect import inspect_pixels
from services.imaging.engine.operations.fonts import BUNDLED_FONTS, Fonts
from services.imaging.engine.run_still import DecodeCache
from services.imaging.engine.safety.limits import Limits
from services.imaging.pool.call_images import CallImages, CorruptImage
from services.imaging.pool.child_settings import ChildSettings
from services.imaging.pool.messages import (
    Answer,
    Corrupt,
    Heavy,
    InspectCall,
    Made,
    RenderAnswer,
    RenderCall,
    out_of_memory,
)
from services.imaging.pool.verdicts import (
    Verdict,
    fresh_space,
    need_of_depth,
    need_of_output,
    verdict,
)

_BATCH_CPU = 0.02  # seconds of CPU after which a batch starts no further render
# Seconds after which it does not either, while it waits for a core or a disk. After 0.1 s, jobs
# that wait behind a call are handed back (`jobs/batching.py`): a batch should end before.
_BATCH_TIME = 0.06
_KEPT_BYTES = 32 << 20  # the largest source that is kept when `keep_source` is false
_KEPT_LONG = 8 << 20  # and the largest whose bytes stay when no call comes for a second

Undone = Failure | Verdict | Heavy | Corrupt
"""The outcome of a part that gave no result."""


def warm_up(settings: ChildSettings) -> None:
    """Load the code of every format, and note how much address space that takes."""
    pipeline.warm_up()
    fresh_space()


def perform(
    call: RenderCall | InspectCall, images: CallImages, settings: ChildSettings
) -> Answer[Made] | Answer[Inspected]:
    """Do a call. Raises MemoryError."""
    match call:
        case RenderCall():
            return render(call, images, settings)
        case InspectCall():
            return inspect(call.request, images, settings)
        case _:
            assert_never(call)


def render(call: RenderCall, images: CallImages, settings: ChildSettings) -> RenderAnswer:
    """Render each request. A failed one is an outcome like the others."""
    cpu, deadline = time.process_time() + _BATCH_CPU, time.monotonic() + _BATCH_TIME
    outcomes: list[Made | Undone] = []
    verdicts: dict[str, Verdict] = {}
    room, exhausted = settings.max_result, False
    for request in call.requests:
        try:
            outcome = _outcome(request, call, images, verdicts, settings)
        except MemoryError:
            exhausted = True
            if not outcomes:
                outcomes.append(out_of_memory(settings))
            break
        if isinstance(outcome, Made):
            room -= outcome.size
            if room < 0:
                # The others fill the answer: this one is rendered again, in the next.
                break
        outcomes.append(outcome)
        if time.process_time() > cpu or time.monotonic() > deadline:
            break
    return RenderAnswer(outcomes=tuple(outcomes), exhausted=exhausted)


def inspect(request: Inspect, images: CallImages, settings: ChildSettings) -> Answer[Inspected]:
    """Inspect an image: its header, or its pixels too."""
    outcome: Inspected | Undone
    try:
        outcome = _inspect(request, images, settings)
    except CorruptImage as exc:
        outcome = Corrupt(corrupt=exc.key)
    except (ImageUnreadable, UnsupportedFormat) as exc:
        outcome = verdict(need_of_depth(request.depth), exc)
    except ServiceError as exc:
        outcome = exc.failure()
    return Answer[Inspected](outcomes=(outcome,))


def _inspect(request: Inspect, images: CallImages, settings: ChildSettings) -> Inspected:
    data, limits = _source(request.source.key, images).data, _limits(settings)
    match request.depth:
        case Depth.HEADER:
            return decode.inspect(data, limits)
        case Depth.PIXELS:
            return inspect_pixels(data, limits, place=request.place)
        case _:
            assert_never(request.depth)


def _outcome(
    request: Render,
    call: RenderCall,
    images: CallImages,
    verdicts: dict[str, Verdict],
    settings: ChildSettings,
) -> Made | Undone:
    """Render a request, unless an earlier one has shown that its source can't be read.

    `verdicts` has those of this call, by source. Raises MemoryError; also if this process has too
    little memory to judge an image.
    """
    key, need = request.source.key, need_of_output(request.pipeline.output)
    known = verdicts.get(key)
    if known is not None and known.concerns(need):
        return known
    try:
        return _render(request, call, images, settings)
    except HeavyWork as exc:
        return Heavy(seconds=exc.seconds)
    except CorruptImage as exc:
        return Corrupt(corrupt=exc.key)
    except (ImageUnreadable, UnsupportedFormat) as exc:
        verdicts[key] = verdict(need, exc)
        return verdicts[key]
    except ServiceError as exc:
        return exc.failure()


def _render(request: Render, call: RenderCall, images: CallImages, settings: ChildSettings) -> Made:
    watermarks = {key: images.read(key) for key in request.pipeline.images}
    source = _source(request.source.key, images)
    limits, decode_cache = _limits(settings, call.budget), dict(source.decode_cache)
    picture = pipeline.run(
        source.data, request.pipeline, limits, decode_cache, watermarks, _fonts(settings)
    )
    # An image is often wanted in several sizes at once.
    if call.keep_source or len(source.data) <= _KEPT_BYTES:
        _last_source.append(_Source(source.key, source.data, decode_cache))
    else:
        _last_source.clear()
    return Made(
        format=picture.format,
        width=picture.width,
        height=picture.height,
        size=len(picture.data),
        decode_ms=picture.decode_ms,
        operations_ms=picture.operations_ms,
        encode_ms=picture.encode_ms,
        data=picture.data,
    )


@dataclass(frozen=True)
class _Source:
    key: str
    data: bytes
    decode_cache: DecodeCache


_last_source: deque[_Source] = deque(maxlen=1)


def _source(key: str, images: CallImages) -> _Source:
    """Return the source from this process's memory, or from its descriptor.

    Another source that is in memory is freed first.
    """
    if _last_source and _last_source[0].key == key:
        return _last_source[0]
    _last_source.clear()
    return _Source(key, images.read(key), {})


def rest() -> None:
    """Free the decoded pixels of the last source, and its bytes if they are many."""
    if _last_source:
        source = _last_source.pop()
        if len(source.data) <= _KEPT_LONG:
            _last_source.append(replace(source, decode_cache={}))


@cache
def _fonts(settings: ChildSettings) -> Fonts:
    return Fonts.in_directory(settings.fonts) if settings.fonts else BUNDLED_FONTS


@cache
def _limits(settings: ChildSettings, budget: float | None = None) -> Limits:
    return Limits(
        frame_pixels=settings.max_megapixels * 1_000_000,
        buffered_pixels=settings.max_buffered_megapixels * 1_000_000,
        blank_pixels=settings.max_blank_megapixels * 1_000_000,
        total_pixels=settings.max_total_megapixels * 1_000_000,
        frames=settings.max_frames,
        result_bytes=settings.max_result,
        seconds=math.inf if budget is None else budget,
    )
