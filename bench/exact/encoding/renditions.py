"""Results of Darkroom in every format, and the pixels that a reader has to find in them."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageFilter, ImageStat

from bench.exact.decoding.pixels import premultiplied
from bench.exact.decoding.verdicts import Seen
from bench.exact.judges import Case
from contracts.formats import Format
from contracts.operations.notation import parse_pipeline
from services.imaging.engine import pipeline
from services.imaging.engine.formats import plugins
from tests.imaging.pictures import encoded, psnr, scenery

_SIZE = (97, 65)
_MODES = ("L", "RGB", "RGBA")

_LOSSLESS = float("inf")
_FINE, _USUAL = 38.0, 33.0  # decibels, of quality 95 and 80
_COLOURS_256, _COLOURS_64 = 27.0, 23.0

_OPTIONS: dict[Format, dict[str, float]] = {
    Format.JPEG: {
        "quality=95,chroma=444": _FINE,
        "quality=80": _USUAL,
        "quality=80,progressive=true": _USUAL,
        "quality=80,chroma=422": _USUAL,
    },
    Format.PNG: {"": _LOSSLESS, "palette=64": _COLOURS_64},
    Format.WEBP: {"lossless=true": _LOSSLESS, "quality=95": _FINE, "quality=80": _USUAL},
    Format.AVIF: {"quality=95,chroma=444": _FINE, "quality=80": _USUAL},
    Format.GIF: {"": _COLOURS_256},
    Format.TIFF: {"": _LOSSLESS},
    Format.JXL: {"lossless=true": _LOSSLESS, "quality=95": _FINE, "quality=80": _USUAL},
    Format.HEIF: {"quality=95,chroma=444": _FINE, "quality=80": _USUAL},
}


@dataclass(frozen=True)
class Rendition:
    """A result of Darkroom, and what a reader has to see in it."""

    name: str
    data: bytes
    pixels: Image.Image
    decibels: float  # at least; infinite: exactly


def renditions(*formats: Format) -> Iterator[Rendition]:
    """Yield the picture in each mode, in these formats with each of their options."""
    for format, mode in itertools.product(formats, _MODES):
        source = _source(mode)
        shown = source.convert("RGBA")
        if not format.spec.alpha:
            shown = Image.alpha_composite(Image.new("RGBA", _SIZE, "white"), shown)
        if format is Format.GIF and mode == "RGBA":
            # A GIF has pixels, or none.
            shown.putalpha(shown.getchannel("A").point([255 * (a >= 128) for a in range(256)]))
        for options, decibels in _OPTIONS[format].items():
            name = f"{format} of {mode}, {options or 'as it is'}"
            yield Rendition(name, _rendered(source, format, options), shown, decibels)


def cases(
    written: Iterable[Rendition], seen: Iterable[Seen], *, by_alpha: bool = False
) -> Iterator[Case]:
    """Compare what was written with what is seen; `by_alpha`, with colours weighed by alpha."""
    for one, found in zip(written, seen, strict=True):
        yield Case(one.name, _difference(one, found, by_alpha=by_alpha))


def installed(*formats: Format) -> tuple[Format, ...]:
    """Return those of the formats that this machine writes."""
    return tuple(format for format in formats if format in plugins.INSTALLED)


def _difference(written: Rendition, seen: Seen, *, by_alpha: bool) -> str | None:
    if isinstance(seen, str):
        return f"can't be read: {seen}"
    due = written.pixels
    if seen.size != due.size:
        return "{} x {} pixels, and not {} x {}".format(*seen.size, *due.size)
    if by_alpha or written.decibels < _LOSSLESS:
        seen, due = premultiplied(seen), premultiplied(due)
    # A canvas rounds once more when it divides by alpha.
    if written.decibels == _LOSSLESS:
        high = max(level for _, level in ImageStat.Stat(ImageChops.difference(seen, due)).extrema)
        most = 1 if by_alpha else 0
        return None if high <= most else f"up to {high} levels apart, in a lossless result"
    found = psnr(seen, due)
    if found >= written.decibels:
        return None
    return f"{found:.1f} dB, where {written.decibels} are due"


def _source(mode: str) -> Image.Image:
    # As soft as a photograph: lines of one pixel suffer from any subsampling of colours.
    image = scenery(*_SIZE).filter(ImageFilter.GaussianBlur(1.5)).convert(mode)
    if mode == "RGBA":
        alpha = Image.linear_gradient("L").resize(_SIZE)
        alpha.paste(0, (70, 10, 90, 50))
        image.putalpha(alpha)
    return image


def _rendered(source: Image.Image, format: Format, options: str) -> bytes:
    fields = dict(option.split("=") for option in options.split(",") if option)
    wanted = parse_pipeline([], format=format, **fields)
    return pipeline.run(encoded(source, "PNG"), wanted).data
