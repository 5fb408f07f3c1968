"""Estimate what a pipeline costs, from headers alone: pixels times a rate for each step.

The rates are milliseconds of one processor for a million pixels, measured with Pillow 13 on
photographs of 4, 12 and 80 megapixels. What takes long is estimated within a factor of three on the
same processor. Cheap steps are overestimated rather than listed one by one.
"""

from collections.abc import Iterable, Mapping
from typing import assert_never

from contracts.formats import Format, format_as_it_came
from contracts.operations.finishes import Background, Border, Round, Vignette
from contracts.operations.looks import Blur, Duotone, Grayscale, Look, Sharpen, Tint
from contracts.operations.overlays import Text, Watermark
from contracts.operations.pipeline import Operation, Pipeline
from contracts.operations.shapes import Crop, Extract, Flip, Flop, Pad, Resize, Rotate, Trim
from contracts.operations.sizes import Size, size_after
from contracts.outputs import AUTO, Output
from services.imaging.engine.decoding.source import Source
from services.imaging.engine.encoding.format_choice import is_animated
from services.imaging.engine.raster.blur import blurred_pixels
from services.imaging.engine.raster.colours import SRGB
from services.imaging.engine.raster.geometry import to_pixels
from services.imaging.engine.raster.hdr import Hdr

_DECODE: dict[Format, float] = {
    Format.JPEG: 4,
    Format.PNG: 12,
    Format.WEBP: 17,
    Format.AVIF: 17,
    Format.GIF: 6,
    Format.TIFF: 5,
    Format.JXL: 35,
    Format.HEIF: 38,
}
_HDR = 50.0  # to map a high dynamic range
_CMYK = 40.0  # to convert four inks by a profile
_DEEP = 15.0  # for each million samples of a TIFF that has more than 8 bits
_ENCODE: dict[Format, float] = {
    Format.JPEG: 6,
    Format.PNG: 75,
    Format.WEBP: 46,
    Format.AVIF: 140,
    Format.GIF: 165,
    Format.TIFF: 60,
    Format.JXL: 41,
    Format.HEIF: 1000,
}
_ENCODE_LOSSLESS = {Format.WEBP: 320.0, Format.JXL: 250.0}
_ENCODE_PALETTE = 200.0
_PROGRESSIVE = 3  # times as long
_SIMILARITY = 7.0  # to decode an attempt and compare it
_ATTEMPTS_AT_QUALITY, _ATTEMPTS_AT_SIZE = 5, 5  # encodes: of at most 5, and of at most 8


class HeavyWork(Exception):
    """A pipeline was not started, as it is estimated to take longer than it may."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"{seconds:.1f} s")
        self.seconds = seconds
        """The estimate."""


def check_cost(
    source: Source, pipeline: Pipeline, overlays: Mapping[str, Source], most: float
) -> None:
    """Raise HeavyWork if a pipeline is estimated to take more than `most` seconds."""
    seconds = estimate(source, pipeline, overlays)
    if seconds > most:
        raise HeavyWork(seconds)


def estimate(source: Source, pipeline: Pipeline, overlays: Mapping[str, Source]) -> float:
    """Return the seconds that a pipeline is likely to take; `overlays` has its images by key."""
    frames = source.frames if is_animated(source, pipeline.output) else 1
    size, milliseconds = source.size, _megapixels(source.size) * _DECODE[source.format]
    milliseconds += source.deep_samples / 1_000_000 * _DEEP
    if isinstance(source.colours, Hdr):
        milliseconds += _megapixels(size) * _HDR
    elif source.image.mode == "CMYK" and source.colours != SRGB:
        milliseconds += _megapixels(size) * _CMYK
    for operation in pipeline.operations:
        after = size_after(operation, size)
        milliseconds += _cost(operation, size, after)
        size = after
    milliseconds += _megapixels(size) * _encoding_rate(pipeline.output, source.format)
    images = sum(_megapixels(one.size) * (_DECODE[one.format] + 2) for one in overlays.values())
    return (milliseconds * frames + images) / 1000


def _megapixels(size: Size) -> float:
    return size[0] * size[1] / 1_000_000


def _cost(operation: Operation, size: Size, after: Size) -> float:
    """Return the milliseconds of one operation on an image of this size, which it makes `after`."""
    pixels = _megapixels(size)
    match operation:
        case Resize():
            return pixels + 5 * _megapixels(after) if after != size else pixels
        case Rotate():
            return pixels * (2 if operation.degrees % 90 == 0 else 45)
        case Pad():
            return _megapixels(after) * (12 if operation.blurred else 2)
        case Crop() | Extract() | Trim() | Flip() | Flop() | Grayscale() | Background():
            return pixels
        case Blur():
            return blurred_pixels(size, operation.radius) / 1_000_000 * 28
        case Sharpen():
            return blurred_pixels(size, operation.radius) / 1_000_000 * 28 + pixels * 4
        case Duotone() | Tint():
            return pixels * 6
        case Look():
            return pixels * 3
        case Vignette() | Round() | Border():
            return pixels * 4
        case Text():
            letter = to_pixels(operation.size, size[0]) + 2 * operation.stroke
            return pixels * 4 + len(operation.text) * letter**2 / 1_000_000 * 10
        case Watermark():
            return pixels * 10
        case _:
            assert_never(operation)


def _encoding_rate(output: Output, source_format: Format) -> float:
    """Return the rate of all encodes together: of each format that is tried, at each quality."""
    formats: Iterable[Format]
    if isinstance(output.format, Format):
        formats = (output.format,)
    elif output.format == AUTO and output.among:
        formats = output.among
    else:
        formats = (format_as_it_came(source_format, transparent=False),)
    return sum(_format_rate(format, output) for format in formats)


def _format_rate(format: Format, output: Output) -> float:
    rate = _ENCODE[format]
    if output.palette and format is Format.PNG:
        rate = _ENCODE_PALETTE
    if output.lossless or not format.spec.quality:
        return _ENCODE_LOSSLESS.get(format, rate) if output.lossless else rate
    if output.progressive and format is Format.JPEG:
        rate *= _PROGRESSIVE
    attempts = _ATTEMPTS_AT_SIZE if output.max_bytes is not None else 1
    if output.quality == AUTO:
        return rate * (attempts + _ATTEMPTS_AT_QUALITY) + _SIMILARITY * _ATTEMPTS_AT_QUALITY
    return rate * attempts
