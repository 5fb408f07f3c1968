"""The tasks of a pool process: fetch the source, run the pipeline, store the rendition.

Plain blocking code. Each process has a Redis connection of its own, so image bytes never pass
through the service's event loop.
"""

import math
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import assert_never

from contracts.errors import (
    Failure,
    Gone,
    ImageUnreadable,
    NotFound,
    ServiceError,
    UnsupportedFormat,
)
from contracts.imaging import Blob, Depth, Inspect, Inspected, Render, Rendered
from services.imaging.engine import pipeline
from services.imaging.engine.cost import HeavyWork
from services.imaging.engine.decoding import decode
from services.imaging.engine.formats import plugins
from services.imaging.engine.inspection.inspect import inspect_pixels
from services.imaging.engine.operations.fonts import BUNDLED_FONTS, Fonts
from services.imaging.engine.run_still import DecodeCache
from services.imaging.engine.safety.limits import Limits
from services.imaging.pool.messages import Answer, Heavy, InspectCall, RenderCall, out_of_memory
from services.imaging.pool.verdicts import (
    Need,
    Verdict,
    fresh_space,
    need_of_depth,
    need_of_output,
    verdict,
)
from services.imaging.settings import ImagingSettings
from services.runtime.redis.client import make_blocking_redis, store_error
from services.runtime.redis.replies import FULL
from services.runtime.storage.blocking_blobs import BlockingBlobs, Judged
from services.runtime.storage.records import SMALL, NewBlob

_BATCH_BUDGET = 0.02  # seconds after which a batch starts no further render
_CACHED_BYTES = 8 << 20  # the largest source that is kept when `keep_source` is false


def warm_up(settings: ImagingSettings) -> None:
    """Load the code of every format, and note how much address space that takes."""
    pipeline.warm_up()
    plugins.capability()
    fresh_space()


def perform(
    call: RenderCall | InspectCall, settings: ImagingSettings
) -> Answer[Rendered] | Answer[Inspected]:
    """Do a call. Raises RedisError and MemoryError."""
    match call:
        case RenderCall():
            return render(call, settings)
        case InspectCall():
            return inspect(call.request, settings)
        case _:
            assert_never(call)


def render(call: RenderCall, settings: ImagingSettings) -> Answer[Rendered]:
    """Render each request, and store the renditions. A failed one is an outcome like the others.

    A stored rendition of the same request is the outcome if `reuse` allows it. All small sources
    are fetched in one round trip and all renditions stored in another, as a round trip to Redis
    takes as long as a small render.
    """
    deadline = time.monotonic() + _BATCH_BUDGET
    results = [request.result_key() for request in call.requests]
    stored, sources = _look_up(call.requests, results, settings, call.ttl)
    outcomes: list[Rendered | Failure | Heavy] = []
    renditions: list[NewBlob] = []
    exhausted = False
    for request, result in zip(call.requests, results, strict=True):
        try:
            rendered = stored.get(result) if request.reuse else None
            if rendered is None:
                rendition, rendered = _render(request, result, call, sources, settings)
                renditions.append(rendition)
                stored[rendition.blob.key] = rendered.model_copy(update={"reused": True})
            outcomes.append(rendered)
        except HeavyWork as exc:
            outcomes.append(Heavy(seconds=exc.seconds))
        except MemoryError:
            exhausted = True
            if not outcomes:
                outcomes.append(out_of_memory(settings))
        except ServiceError as exc:
            outcomes.append(exc.failure())
        if exhausted or time.monotonic() > deadline:
            break
    outcomes = _keep(renditions, outcomes, settings, ttl=call.ttl)
    return Answer[Rendered](outcomes=tuple(outcomes), exhausted=exhausted)


def _keep(
    renditions: Sequence[NewBlob],
    outcomes: list[Rendered | Failure | Heavy],
    settings: ImagingSettings,
    *,
    ttl: int,
) -> list[Rendered | Failure | Heavy]:
    """Store all renditions, and return the outcomes: failures in place of those not kept."""
    failure = Gone("The image was deleted while it was rendered.").failure()
    try:
        lost = _blobs(settings).keep(renditions, ttl=ttl)
    except FULL as exc:
        failure, lost = store_error(exc).failure(), {one.blob.key for one in renditions}
    return [
        failure if isinstance(outcome, Rendered) and outcome.blob.key in lost else outcome
        for outcome in outcomes
    ]


def inspect(request: Inspect, settings: ImagingSettings) -> Answer[Inspected]:
    """Inspect an image: its header, or its pixels too."""
    try:
        return Answer[Inspected](outcomes=(_inspect(request, settings),))
    except ServiceError as exc:
        return Answer[Inspected](outcomes=(exc.failure(),))


def _inspect(request: Inspect, settings: ImagingSettings) -> Inspected:
    key = request.source.key
    _, [judged] = _blobs(settings).look({}, {key: True}, capability=plugins.capability(), ttl=0)
    sources = {key: judged}
    with _judging(key, need_of_depth(request.depth), sources, settings):
        data, limits = _bytes_of(key, sources, settings), _limits(settings)
        match request.depth:
            case Depth.HEADER:
                return decode.inspect(data, limits)
            case Depth.PIXELS:
                return inspect_pixels(data, limits, place=request.place)
            case _:
                assert_never(request.depth)


def _look_up(
    requests: Sequence[Render], results: Sequence[str], settings: ImagingSettings, ttl: int
) -> tuple[dict[str, Rendered], dict[str, Judged]]:
    """Look up stored renditions, verdicts and the small sources in one round trip; all by key.

    The source of a rendition that is stored already is fetched in vain, which costs less than a
    second round trip.
    """
    made = {
        result: request.images
        for request, result in zip(requests, results, strict=True)
        if request.reuse
    }
    kept = {source.key for source in _last_source}
    sources = {
        source.key: source.bytes <= SMALL and source.key not in kept
        for source in (request.source for request in requests)
    }
    renditions, judged = _blobs(settings).look(
        made, sources, capability=plugins.capability(), ttl=ttl
    )
    stored = {
        key: Rendered.model_validate_json(rendition.note).model_copy(update={"reused": True})
        for key, rendition in zip(made, renditions, strict=True)
        if rendition is not None
    }
    return stored, dict(zip(sources, judged, strict=True))


def _render(
    request: Render,
    result: str,
    call: RenderCall,
    sources: dict[str, Judged],
    settings: ImagingSettings,
) -> tuple[NewBlob, Rendered]:
    images = {key: _fetch_watermark(key, settings) for key in request.pipeline.images}
    need = need_of_output(request.pipeline.output)
    with _judging(request.source.key, need, sources, settings):
        source = _source(request.source, sources, settings)
        limits, decode_cache = _limits(settings, call.budget), dict(source.decode_cache)
        picture = pipeline.run(
            source.data, request.pipeline, limits, decode_cache, images, _fonts(settings)
        )
        # A photograph is often wanted in several sizes, so its bytes are kept in any case.
        if call.keep_source or len(source.data) <= _CACHED_BYTES:
            kept = decode_cache if call.keep_source else {}
            _last_source.append(replace(source, decode_cache=kept))
        else:
            _last_source.clear()
    rendered = Rendered(
        blob=Blob(key=result, media_type=picture.media_type, bytes=len(picture.data)),
        width=picture.width,
        height=picture.height,
        decode_ms=picture.decode_ms,
        operations_ms=picture.operations_ms,
        encode_ms=picture.encode_ms,
    )
    return NewBlob(rendered.blob, picture.data, rendered, request.images), rendered


@contextmanager
def _judging(
    key: str, need: Need, sources: dict[str, Judged], settings: ImagingSettings
) -> Iterator[None]:
    """Raise the verdict about an image, if it has one for this need; store the one reached here.

    Raises MemoryError if this process has too little memory to judge.
    """
    known = sources[key].verdict
    if known is not None:
        Verdict.model_validate_json(known).check(need)
    try:
        yield
    except (ImageUnreadable, UnsupportedFormat) as exc:
        reached = verdict(need, exc)
        _blobs(settings).judge(key, reached, capability=plugins.capability())
        # For the other requests of the batch.
        sources[key] = replace(sources[key], verdict=reached.model_dump_json().encode())
        raise


@dataclass(frozen=True)
class _Source:
    key: str
    data: bytes
    decode_cache: DecodeCache


_last_source: deque[_Source] = deque(maxlen=1)


def _source(blob: Blob, fetched: Mapping[str, Judged], settings: ImagingSettings) -> _Source:
    """Return the source from this process's memory, from `fetched`, or from the store."""
    if _last_source and _last_source[0].key == blob.key:
        return _last_source[0]
    _last_source.clear()
    return _Source(blob.key, _bytes_of(blob.key, fetched, settings), {})


def _bytes_of(key: str, fetched: Mapping[str, Judged], settings: ImagingSettings) -> bytes:
    """Return an image's bytes from `fetched`, or from the store. Raises Gone."""
    data = fetched[key].data
    return _fetch(key, settings) if data is None else data


def _fetch_watermark(key: str, settings: ImagingSettings) -> bytes:
    """Fetch an image that the pipeline names. Raises NotFound, as the source itself is there."""
    try:
        return _fetch(key, settings)
    except Gone as exc:
        raise NotFound(f"The image {key} that the watermark names is not here (any more).") from exc


def _fetch(key: str, settings: ImagingSettings) -> bytes:
    """Fetch an image's bytes. Raises Gone."""
    data = _blobs(settings).image(key)
    if data is None:
        raise Gone(f"The image {key} is not here any more; upload it again.")
    return data


@cache
def _blobs(settings: ImagingSettings) -> BlockingBlobs:
    return BlockingBlobs(make_blocking_redis(settings))


@cache
def _fonts(settings: ImagingSettings) -> Fonts:
    return Fonts.in_directory(settings.fonts) if settings.fonts else BUNDLED_FONTS


@cache
def _limits(settings: ImagingSettings, budget: float | None = None) -> Limits:
    return Limits(
        frame_pixels=settings.max_megapixels * 1_000_000,
        buffered_pixels=settings.max_buffered_megapixels * 1_000_000,
        blank_pixels=settings.max_blank_megapixels * 1_000_000,
        total_pixels=settings.max_total_megapixels * 1_000_000,
        frames=settings.max_frames,
        result_bytes=settings.max_result,
        seconds=math.inf if budget is None else budget,
    )
