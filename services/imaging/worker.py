"""What runs in a pool process: fetch the blob, do the pixels, store the result.

One image at a time, in plain code; its Redis connection is the process's own, so that no image
bytes pass through the service's event loop.
"""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import assert_never

from contracts.errors import Gone, ImageUnreadable, NotFound, ServiceError, UnsupportedFormat
from contracts.imaging import Blob, Depth, Inspect, Inspected, Render, Rendered
from services.imaging import codecs, inspection, pipeline
from services.imaging.executor import prepare_process
from services.imaging.fonts import BUNDLED, Fonts
from services.imaging.limits import Limits
from services.imaging.settings import ImagingSettings
from services.runtime.blobs import BlockingBlobs, Kind
from services.runtime.held import Held

_A_MOMENT = 0.05  # seconds


def warm(settings: ImagingSettings) -> None:
    """Make this process ready for work."""
    _stores(settings)
    pipeline.rehearse()


def render(
    request: Render, settings: ImagingSettings, ttl: int, *, keep_source: bool = False
) -> Rendered:
    """Answer a Render with a result that lives `ttl` seconds.

    One that is still there is the answer, if the request allows it. A source that is kept needs
    neither be fetched nor decoded for the next render of it in this process.
    """
    renditions = _stores(settings).renditions
    key = request.result_key()
    if request.reuse and (kept := renditions.find(key, ttl=ttl)) is not None:
        return Rendered.model_validate_json(kept.note).model_copy(update={"reused": True})
    images = {key: _other(key, settings) for key in request.pipeline.images}
    with _forgetting_what_is_no_image(request.source, settings):
        source = _source(request.source, settings)
        picture = pipeline.run(
            source.data,
            request.pipeline,
            _limits(settings),
            source.negatives,
            images,
            _fonts(settings),
        )
        if keep_source:
            _kept.append(source)
    rendered = Rendered(
        blob=Blob(key=key, media_type=picture.media_type, bytes=len(picture.data)),
        width=picture.width,
        height=picture.height,
        decode_ms=picture.decode_ms,
        operations_ms=picture.operations_ms,
        encode_ms=picture.encode_ms,
    )
    renditions.put(picture.data, picture.media_type, key=key, ttl=ttl, note=rendered)
    return rendered


def render_text(
    request: str, settings: ImagingSettings, ttl: int, *, keep_source: bool = False
) -> Rendered:
    """As `render`, for a Render as JSON: pickled it takes five times as long."""
    return render(Render.model_validate_json(request), settings, ttl, keep_source=keep_source)


def render_some(
    requests: Sequence[str], settings: ImagingSettings, ttl: int
) -> list[Rendered | ServiceError]:
    """What becomes of each, in order; what has not begun after a moment is left out."""
    outcomes: list[Rendered | ServiceError] = []
    begun = time.monotonic()
    for request in requests:
        try:
            outcomes.append(render_text(request, settings, ttl))
        except ServiceError as exc:
            outcomes.append(exc)
        if time.monotonic() - begun > _A_MOMENT:
            break
    return outcomes


def inspect(request: Inspect, settings: ImagingSettings) -> Inspected:
    """Answer an Inspect."""
    with _forgetting_what_is_no_image(request.source, settings):
        data, limits = _fetch(request.source.key, settings), _limits(settings)
        match request.depth:
            case Depth.HEADER:
                return codecs.inspect(data, limits)
            case Depth.PIXELS:
                return inspection.examine(data, limits, place=request.place)
            case _:
                assert_never(request.depth)


@dataclass(frozen=True)
class _Stores:
    images: BlockingBlobs
    renditions: BlockingBlobs


@contextmanager
def _forgetting_what_is_no_image(source: Blob, settings: ImagingSettings) -> Iterator[None]:
    """Bytes that can't be read will not be read tomorrow; they would only fill the store."""
    try:
        yield
    except (ImageUnreadable, UnsupportedFormat):
        _stores(settings).images.delete(source.key)
        raise


@dataclass(frozen=True)
class _Source:
    key: str
    data: bytes
    negatives: pipeline.Negatives


_kept: deque[_Source] = deque(maxlen=1)


def _source(blob: Blob, settings: ImagingSettings) -> _Source:
    if _kept and _kept[0].key == blob.key:
        return _kept[0]
    _kept.clear()
    return _Source(blob.key, _fetch(blob.key, settings), {})


def _other(key: str, settings: ImagingSettings) -> bytes:
    """Another image that the pipeline needs; that it is gone is no fault of the source's."""
    try:
        return _fetch(key, settings)
    except Gone as exc:
        raise NotFound(f"The image {key} that the watermark names is not here (any more).") from exc


def _fetch(key: str, settings: ImagingSettings) -> bytes:
    data = _stores(settings).images.get(key)
    if data is None:
        raise Gone(f"The image {key} is not here any more; upload it again.")
    return data


@cache
def _stores(settings: ImagingSettings) -> _Stores:
    # The first thing that any call does in a new process, and so the place to prepare it.
    prepare_process(settings.process_memory)
    redis = Held.from_url(settings.redis_url)
    return _Stores(BlockingBlobs(redis, Kind.IMAGE), BlockingBlobs(redis, Kind.RENDITION))


@cache
def _fonts(settings: ImagingSettings) -> Fonts:
    return Fonts.of(settings.fonts) if settings.fonts else BUNDLED


@cache
def _limits(settings: ImagingSettings) -> Limits:
    return Limits(
        frame_pixels=settings.max_megapixels * 1_000_000,
        buffered_pixels=settings.max_buffered_megapixels * 1_000_000,
        blank_pixels=settings.max_blank_megapixels * 1_000_000,
        total_pixels=settings.max_total_megapixels * 1_000_000,
        frames=settings.max_frames,
    )
