"""What a result is written as: its format, its quality, and bytes within their budget."""

from collections.abc import Iterator

from PIL import Image, ImageSequence

from contracts.errors import InvalidOperation
from contracts.outputs import ANIMATED, AUTO, LOSSLESS, LOSSY, Format, Output, Profile
from services.imaging.engine.decoding.source import Source
from services.imaging.engine.encoding import quality_search
from services.imaging.engine.encoding.encode import Encoding, encode
from services.imaging.engine.metadata import jpeg_fit
from services.imaging.engine.metadata.policy import KeptMetadata
from services.imaging.engine.raster.alpha import drop_alpha, has_alpha, has_transparent_pixels
from services.imaging.engine.raster.animation import Animation
from services.imaging.engine.raster.profiles import is_gray_profile

# What a result is written in, where nobody says, by the format that it came in.
_STAY = {format.value: format for format in (Format.JPEG, Format.PNG, Format.WEBP, Format.AVIF)}
_PHOTOGRAPHS = ("heif", "jxl")
_SEEN_EVERYWHERE = {"jpeg": Format.JPEG, "png": Format.PNG, "gif": Format.PNG, "tiff": Format.PNG}

# Of a film that is written again and again: 200 MB. With more, each try draws its frames anew.
_KEPT_PIXELS = 50_000_000

_FEW = 256  # colours: no more than a palette holds

_LONGEST_PROFILE = 255 * 65_519  # bytes: what the segments of a JPEG hold (ICC.1:2022, B.4)


def is_moving(source: Source, output: Output) -> bool:
    """Whether the result is an animation: the source is one, and the format holds one."""
    if source.moving == 1 or source.format not in ANIMATED or not output.animated:
        return False
    return output.format in (None, AUTO) or output.format in ANIMATED


def keeps_profile(source: Source, output: Output) -> bool:
    """Whether the result has the source's colours and their profile: the format holds one."""
    profile = source.image.info.get("icc_profile")
    if output.icc is not Profile.KEEP or not profile or len(profile) > _LONGEST_PROFILE:
        return False
    moving = is_moving(source, output)
    if is_gray_profile(profile) and (moving or _may_be_webp(output)):
        # These are written in colour.
        return False
    if moving and not isinstance(output.format, Format):
        return _moving_format(output, source.format) is not Format.GIF
    # pillow-jxl-plugin writes no profile.
    return output.format not in (Format.GIF, Format.JXL)


def write(
    image: Image.Image, output: Output, source_format: str, metadata: KeptMetadata, profile: bytes
) -> tuple[Format, bytes]:
    """The result's format and its bytes.

    Raises InvalidOperation where they do not fit or can't be lossless, and ImageTooBig.
    """
    if not isinstance(image, Animation) and _goes_by_alpha(output, source_format):
        image = image if has_transparent_pixels(image) else drop_alpha(image)
    able = _able(image, output)
    # WebP is written with and without loss.
    if output.max_bytes is None and (len(able) > 1 or Format.WEBP in able):
        image = _kept(image)
    written = (
        (format, _written(image, format, tried, metadata, profile))
        for format, tried in _tries(image, output, able, source_format)
    )
    return min(written, key=lambda one: len(one[1]))


def _may_be_webp(output: Output) -> bool:
    return output.format is Format.WEBP or (output.format == AUTO and Format.WEBP in output.among)


def _goes_by_alpha(output: Output, source_format: str) -> bool:
    """Whether the image decides on its format."""
    return output.format == AUTO or (output.format is None and source_format in _PHOTOGRAPHS)


def _tries(
    image: Image.Image, output: Output, able: list[Format], source_format: str
) -> Iterator[tuple[Format, Output]]:
    """The formats that may be the smallest, and how they are written; mostly there is one."""
    if isinstance(output.format, Format):
        yield output.format, output
        return
    if able and output.max_bytes is None and not _is_long(image):
        yield from _compared(image, output, able)
        return
    format = able[0] if able else _only_format(image, output, source_format)
    if output.lossless and format not in LOSSLESS:
        raise InvalidOperation(f"lossless: the result is a {format}, which has no such form.")
    yield format, output


def _able(image: Image.Image, output: Output) -> list[Format]:
    """Which of those that `auto` chooses from can hold the image."""
    no = {Format.JPEG} if has_alpha(image) else set()
    if isinstance(image, Animation):
        no = {Format.JPEG, Format.PNG}
    if output.lossless:
        no |= set(Format) - LOSSLESS
    return [format for format in output.among if format not in no]


def _compared(
    image: Image.Image, output: Output, able: list[Format]
) -> Iterator[tuple[Format, Output]]:
    few = False
    if not output.lossless and not {Format.PNG, Format.WEBP}.isdisjoint(able):
        few = all(frame.getcolors(_FEW) for frame in ImageSequence.Iterator(image))
    for format in able:
        if few and format is Format.PNG:
            yield format, output.model_copy(update={"palette": output.palette or _FEW})
        elif format is not Format.PNG or output.lossless or len(able) == 1:
            yield format, output
        if few and format is Format.WEBP:
            yield format, output.model_copy(update={"lossless": True})


def _only_format(image: Image.Image, output: Output, source_format: str) -> Format:
    if isinstance(image, Animation):
        return _moving_format(output, source_format)
    return _still_format(output, source_format, image)


def _moving_format(output: Output, source_format: str) -> Format:
    if output.format is None:
        return Format(source_format)
    for format in output.among:
        if format is Format.WEBP or (format is Format.AVIF and not output.lossless):
            return format
    return Format.PNG if source_format == "png" or output.lossless else Format.GIF


def _still_format(output: Output, source_format: str, image: Image.Image) -> Format:
    plain = Format.PNG if has_alpha(image) or output.lossless else Format.JPEG
    if output.format is None:
        other = plain if source_format in _PHOTOGRAPHS else Format.PNG
        return _STAY.get(source_format, other)
    seen = _SEEN_EVERYWHERE.get(source_format, plain)
    return plain if seen is Format.JPEG else seen


def _written(
    image: Image.Image, format: Format, output: Output, metadata: KeptMetadata, profile: bytes
) -> bytes:
    encoding = Encoding(
        format=format,
        lossless=output.lossless,
        progressive=output.progressive,
        chroma=output.chroma,
        palette=output.palette,
        metadata=jpeg_fit.fit(metadata, format),
        profile=profile,
    )

    def encoded(quality: int) -> bytes:
        return encode(image, encoding, quality)

    most = output.max_bytes
    if format not in LOSSY or output.lossless:
        data = encoded(100)
        if most is not None and len(data) > most:
            raise quality_search.too_large(len(data), most, f"as a {format} without loss")
        return data
    if output.quality == AUTO:
        # Of an animation, the first frame is the measure.
        still = image.first_frame if isinstance(image, Animation) else image
        quality = quality_search.good_enough(
            still, lambda quality: encode(still, encoding, quality)
        )
    else:
        quality = output.quality
    if most is None:
        return encoded(quality)
    image = _kept(image)
    return quality_search.within(encoded, most, quality)


def _is_long(image: Image.Image) -> bool:
    return (
        isinstance(image, Animation) and image.n_frames * image.width * image.height > _KEPT_PIXELS
    )


def _kept(image: Image.Image) -> Image.Image:
    return image.cached() if isinstance(image, Animation) and not _is_long(image) else image
