"""What runs in a pool process: fetch the blob, do the pixels, store the result.

One image at a time, in plain code; its Redis connection is the process's own, so that no image
bytes pass through the service's event loop.
"""

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import assert_never

from contracts.errors import Gone, ImageUnreadable, NotFound, ServiceError, UnsupportedFormat
from contracts.imaging import Blob, Depth, Inspect, Inspected, Render, Rendered
from services.imaging.engine import pipeline
from services.imaging.engine.decoding import decode
from services.imaging.engine.inspection.inspect import inspect_pixels
from services.imaging.engine.operations.fonts import BUNDLED_FONTS, Fonts
from services.imaging.engine.run_still import DecodeCache
from services.imaging.engine.safety.limits import Limits
from services.imaging.pool.executor import prepare_process
from services.imaging.settings import ImagingSettings
from services.runtime.redis.client import make_blocking_redis
from services.runtime.storage.blobs import SMALL, BlockingBlobs, NewBlob

_A_MOMENT = 0.05  # seconds
_KEPT_BYTES = 8 << 20


def warm(settings: ImagingSettings) -> None:
    """Make this process ready for work."""
    _blobs(settings)
    pipeline.warm_up()


def render(
    request: str, settings: ImagingSettings, ttl: int, *, keep_source: bool = False
) -> Rendered:
    """Answer a Render with a result that lives `ttl` seconds.

    One that is still there is the answer, if the request allows it. What this process renders next
    of the same source, up to 8 MiB of it, needs not be fetched again; of one that is kept it needs
    not be decoded, either. The Render comes as JSON: pickled it takes three times as long.
    """
    [outcome] = render_some([request], settings, ttl, keep_source=keep_source)
    if isinstance(outcome, ServiceError):
        raise outcome
    return outcome


def render_some(
    requests: Sequence[str], settings: ImagingSettings, ttl: int, *, keep_source: bool = False
) -> list[Rendered | ServiceError]:
    """What becomes of each, in order; what has not begun after a moment is left out.

    What is small is fetched for all of them at once, and every result is stored at the end: a trip
    to Redis takes as long as a small render.
    """
    begun = time.monotonic()
    asked = [Render.model_validate_json(request) for request in requests]
    found, near = _looked_up(asked, settings, ttl)
    outcomes: list[Rendered | ServiceError] = []
    made: list[NewBlob] = []
    for request in asked:
        try:
            rendered = found.get(request.result_key()) if request.reuse else None
            if rendered is None:
                filled, rendered = _rendered(request, settings, near, keep_source=keep_source)
                made.append(filled)
                found[filled.blob.key] = rendered.model_copy(update={"reused": True})
            outcomes.append(rendered)
        except ServiceError as exc:
            outcomes.append(exc)
        if time.monotonic() - begun > _A_MOMENT:
            break
    _blobs(settings).keep(made, ttl=ttl)
    return outcomes


def inspect(request: Inspect, settings: ImagingSettings) -> Inspected:
    """Answer an Inspect."""
    with _forgetting_what_is_no_image(request.source, settings):
        data, limits = _fetch(request.source.key, settings), _limits(settings)
        match request.depth:
            case Depth.HEADER:
                return decode.inspect(data, limits)
            case Depth.PIXELS:
                return inspect_pixels(data, limits, place=request.place)
            case _:
                assert_never(request.depth)


def _looked_up(
    asked: Sequence[Render], settings: ImagingSettings, ttl: int
) -> tuple[dict[str, Rendered], dict[str, bytes | None]]:
    """What is there already of that which may be the answer, and the small sources; by their keys.

    Sources that turn out not to be needed are fetched for nothing, which is less than a trip.
    """
    results = [request.result_key() for request in asked if request.reuse]
    small = {request.source.key for request in asked if request.source.bytes <= SMALL}
    sources = sorted(small.difference(source.key for source in _kept))
    kept, fetched = _blobs(settings).look(results, sources, ttl=ttl)
    found = {
        key: Rendered.model_validate_json(one.note).model_copy(update={"reused": True})
        for key, one in zip(results, kept, strict=True)
        if one is not None
    }
    return found, dict(zip(sources, fetched, strict=True))


def _rendered(
    request: Render,
    settings: ImagingSettings,
    near: Mapping[str, bytes | None],
    *,
    keep_source: bool,
) -> tuple[NewBlob, Rendered]:
    images = {key: _other(key, settings) for key in request.pipeline.images}
    with _forgetting_what_is_no_image(request.source, settings):
        source = _source(request.source, near, settings)
        limits, decode_cache = _limits(settings), dict(source.decode_cache)
        picture = pipeline.run(
            source.data, request.pipeline, limits, decode_cache, images, _fonts(settings)
        )
        # What was decoded stays if more is to come, and bytes stay at hand in any case, as a
        # photograph is often wanted in several sizes.
        if keep_source or len(source.data) <= _KEPT_BYTES:
            _kept.append(replace(source, decode_cache=decode_cache if keep_source else {}))
        else:
            _kept.clear()
    rendered = Rendered(
        blob=Blob(key=request.result_key(), media_type=picture.media_type, bytes=len(picture.data)),
        width=picture.width,
        height=picture.height,
        decode_ms=picture.decode_ms,
        operations_ms=picture.operations_ms,
        encode_ms=picture.encode_ms,
    )
    return NewBlob(rendered.blob, picture.data, rendered), rendered


@contextmanager
def _forgetting_what_is_no_image(source: Blob, settings: ImagingSettings) -> Iterator[None]:
    """Bytes that can't be read will not be read tomorrow; they would only fill the store."""
    try:
        yield
    except (ImageUnreadable, UnsupportedFormat):
        _blobs(settings).forget_image(source.key)
        raise


@dataclass(frozen=True)
class _Source:
    key: str
    data: bytes
    decode_cache: DecodeCache


_kept: deque[_Source] = deque(maxlen=1)


def _source(blob: Blob, near: Mapping[str, bytes | None], settings: ImagingSettings) -> _Source:
    if _kept and _kept[0].key == blob.key:
        return _kept[0]
    _kept.clear()
    data = near.get(blob.key)
    return _Source(blob.key, _fetch(blob.key, settings) if data is None else data, {})


def _other(key: str, settings: ImagingSettings) -> bytes:
    """Another image that the pipeline needs; that it is gone is no fault of the source's."""
    try:
        return _fetch(key, settings)
    except Gone as exc:
        raise NotFound(f"The image {key} that the watermark names is not here (any more).") from exc


def _fetch(key: str, settings: ImagingSettings) -> bytes:
    data = _blobs(settings).image(key)
    if data is None:
        raise Gone(f"The image {key} is not here any more; upload it again.")
    return data


@cache
def _blobs(settings: ImagingSettings) -> BlockingBlobs:
    # The first thing that any call does in a new process, and so the place to prepare it.
    prepare_process(settings.process_memory)
    return BlockingBlobs(make_blocking_redis(settings))


@cache
def _fonts(settings: ImagingSettings) -> Fonts:
    return Fonts.in_directory(settings.fonts) if settings.fonts else BUNDLED_FONTS


@cache
def _limits(settings: ImagingSettings) -> Limits:
    return Limits(
        frame_pixels=settings.max_megapixels * 1_000_000,
        buffered_pixels=settings.max_buffered_megapixels * 1_000_000,
        blank_pixels=settings.max_blank_megapixels * 1_000_000,
        total_pixels=settings.max_total_megapixels * 1_000_000,
        frames=settings.max_frames,
    )
