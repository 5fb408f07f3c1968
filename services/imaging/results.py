"""What a result is written as: its format, its quality, and bytes within their budget."""

from PIL import Image

from contracts.errors import InvalidOperation
from contracts.outputs import ANIMATED, AUTO, LOSSLESS, LOSSY, Format, Output
from services.imaging import budget
from services.imaging.colours import has_alpha
from services.imaging.encoding import Encoding, encode
from services.imaging.film import Film
from services.imaging.metadata import Notes
from services.imaging.source import Source

# What a result is written in, where nobody says, by the format that it came in.
_STAY = {format.value: format for format in (Format.JPEG, Format.PNG, Format.WEBP, Format.AVIF)}
_PHOTOGRAPHS = ("heif", "jxl")
_SEEN_EVERYWHERE = {"jpeg": Format.JPEG, "png": Format.PNG, "gif": Format.PNG, "tiff": Format.PNG}


def is_moving(source: Source, output: Output) -> bool:
    """Whether the result is an animation: the source is one, and the format holds one."""
    if source.frames == 1 or source.format not in ANIMATED or not output.animated:
        return False
    return output.format in (None, AUTO) or output.format in ANIMATED


def format_of(output: Output, source_format: str, image: Image.Image) -> Format:
    """The format of the result. Raises InvalidOperation for one that has no way to be lossless."""
    if isinstance(output.format, Format):
        return output.format
    opaque = Format.PNG if has_alpha(image) or output.lossless else Format.JPEG
    if output.format is None:
        if isinstance(image, Film):
            return Format(source_format)
        other = opaque if source_format in _PHOTOGRAPHS else Format.PNG
        format = _STAY.get(source_format, other)
    elif isinstance(image, Film):
        format = Format.PNG if source_format == "png" or output.lossless else Format.GIF
    else:
        seen = _SEEN_EVERYWHERE.get(source_format, opaque)
        format = opaque if seen is Format.JPEG else seen
    if output.lossless and format not in LOSSLESS:
        raise InvalidOperation(f"lossless: the result is a {format}, which has no such form.")
    return format


def write(
    image: Image.Image, format: Format, output: Output, notes: Notes, profile: bytes
) -> bytes:
    """The result's bytes. Raises InvalidOperation where they do not fit, and ImageTooBig."""
    encoding = Encoding(
        format=format,
        lossless=output.lossless,
        progressive=output.progressive,
        chroma=output.chroma,
        palette=output.palette,
        notes=notes,
        profile=profile,
    )

    def encoded(quality: int) -> bytes:
        return encode(image, encoding, quality)

    most = output.max_bytes
    if format not in LOSSY or output.lossless:
        data = encoded(100)
        if most is not None and len(data) > most:
            raise budget.too_large(len(data), most, f"as a {format} without loss")
        return data
    if output.quality == AUTO:
        # Of an animation, the first frame is the measure.
        still = image.first if isinstance(image, Film) else image
        quality = budget.good_enough(still, lambda quality: encode(still, encoding, quality))
    else:
        quality = output.quality
    return encoded(quality) if most is None else budget.within(encoded, most, quality)
