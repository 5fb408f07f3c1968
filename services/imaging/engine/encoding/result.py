"""What a result is written as: its format, its quality, and bytes within their budget."""

from collections.abc import Iterator

from PIL import Image, ImageSequence

from contracts.errors import InvalidOperation
from contracts.formats import Format, format_as_it_came
from contracts.outputs import AUTO, Output, Profile
from services.imaging.engine.decoding.source import Source
from services.imaging.engine.encoding import quality_search
from services.imaging.engine.encoding.encode import Encoding, encode
from services.imaging.engine.metadata import jpeg_fit
from services.imaging.engine.metadata.policy import KeptMetadata
from services.imaging.engine.raster.alpha import drop_alpha, has_alpha, has_transparent_pixels
from services.imaging.engine.raster.animation import Animation
from services.imaging.engine.raster.profiles import is_gray_profile

# Of a film that is written again and again: 200 MB. With more, each try draws its frames anew.
_KEPT_PIXELS = 50_000_000

_FEW = 256  # colours: no more than a palette holds

_LONGEST_PROFILE = 255 * 65_519  # bytes: what the segments of a JPEG hold (ICC.1:2022, B.4)


def is_moving(source: Source, output: Output) -> bool:
    """Whether the result is an animation: the source is one, and the format holds one."""
    if source.moving == 1 or not source.format.spec.animated or not output.animated:
        return False
    return not isinstance(output.format, Format) or output.format.spec.animated


def keeps_profile(source: Source, output: Output) -> bool:
    """Whether the result has the source's colours and their profile: the format holds one."""
    profile = source.image.info.get("icc_profile")
    if output.icc is not Profile.KEEP or not profile or len(profile) > _LONGEST_PROFILE:
        return False
    moving = is_moving(source, output)
    if is_gray_profile(profile) and (moving or _may_need_colour(output)):
        return False
    if isinstance(output.format, Format):
        return output.format.spec.icc
    return not moving or _moving_format(output, source.format).spec.icc


def write(
    image: Image.Image,
    output: Output,
    source_format: Format,
    metadata: KeptMetadata,
    profile: bytes,
) -> tuple[Format, bytes]:
    """The result's format and its bytes.

    Raises InvalidOperation where they do not fit or can't be lossless, and ImageTooBig.
    """
    if not isinstance(image, Animation) and _goes_by_alpha(output, source_format):
        image = image if has_transparent_pixels(image) else drop_alpha(image)
    able = _able(image, output)
    if output.max_bytes is None and (len(able) > 1 or any(map(_has_both_ways, able))):
        image = _kept(image)
    written = (
        (format, _written(image, format, tried, metadata, profile))
        for format, tried in _tries(image, output, able, source_format)
    )
    return min(written, key=lambda one: len(one[1]))


def _may_need_colour(output: Output) -> bool:
    """Tell whether the result may be in a format that stores gray as colour."""
    named = (output.format,) if isinstance(output.format, Format) else output.among
    return not all(format.spec.gray for format in named)


def _has_both_ways(format: Format) -> bool:
    return format.spec.quality and format.spec.lossless


def _goes_by_alpha(output: Output, source_format: Format) -> bool:
    """Tell whether the result's format depends on the transparency of the image."""
    if output.format is None:
        return format_as_it_came(source_format) is not format_as_it_came(
            source_format, transparent=True
        )
    return output.format == AUTO


def _tries(
    image: Image.Image, output: Output, able: list[Format], source_format: Format
) -> Iterator[tuple[Format, Output]]:
    """The formats that may be the smallest, and how they are written; mostly there is one."""
    if isinstance(output.format, Format):
        yield output.format, output
        return
    if able and output.max_bytes is None and not _is_long(image):
        yield from _compared(image, output, able)
        return
    format = able[0] if able else _only_format(image, output, source_format)
    if output.lossless and not format.spec.lossless:
        raise InvalidOperation(f"lossless: the result is a {format}, which has no such form.")
    yield format, output


def _able(image: Image.Image, output: Output) -> list[Format]:
    """Which of those that `auto` chooses from can hold the image."""
    able = [f for f in output.among if f.spec.lossless or not output.lossless]
    if isinstance(image, Animation):
        # A PNG of an animation is larger than the others.
        return [f for f in able if f.spec.animated and f.spec.quality]
    return [f for f in able if f.spec.alpha or not has_alpha(image)]


def _compared(
    image: Image.Image, output: Output, able: list[Format]
) -> Iterator[tuple[Format, Output]]:
    few = False
    if not output.lossless and any(format.spec.lossless for format in able):
        few = all(frame.getcolors(_FEW) for frame in ImageSequence.Iterator(image))
    for format in able:
        if few and format.spec.palette:
            yield format, output.model_copy(update={"palette": output.palette or _FEW})
        elif format.spec.quality or output.lossless or len(able) == 1:
            yield format, output
        if few and _has_both_ways(format):
            yield format, output.model_copy(update={"lossless": True})


def _only_format(image: Image.Image, output: Output, source_format: Format) -> Format:
    if isinstance(image, Animation):
        return _moving_format(output, source_format)
    return _still_format(output, source_format, image)


def _moving_format(output: Output, source_format: Format) -> Format:
    if output.format is None:
        return source_format
    for format in output.among:
        spec = format.spec
        if spec.animated and spec.quality and (spec.lossless or not output.lossless):
            return format
    return Format.PNG if source_format is Format.PNG or output.lossless else Format.GIF


def _still_format(output: Output, source_format: Format, image: Image.Image) -> Format:
    needs_png = has_alpha(image) or output.lossless
    if output.format is None:
        return format_as_it_came(source_format, transparent=needs_png)
    return Format.JPEG if source_format.spec.quality and not needs_png else Format.PNG


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
    if not format.spec.quality or output.lossless:
        data = encoded(100)
        if most is not None and len(data) > most:
            raise quality_search.too_large(len(data), most, f"as a {format} without loss")
        return data
    if output.quality == AUTO:
        # Of an animation, the first frame is the measure.
        still = image.first_frame if isinstance(image, Animation) else image
        quality = quality_search.lowest_good_quality(
            still, lambda quality: encode(still, encoding, quality)
        )
    else:
        quality = output.quality
    if most is None:
        return encoded(quality)
    image = _kept(image)
    return quality_search.encode_within(encoded, most, quality)


def _is_long(image: Image.Image) -> bool:
    return (
        isinstance(image, Animation) and image.n_frames * image.width * image.height > _KEPT_PIXELS
    )


def _kept(image: Image.Image) -> Image.Image:
    return image.cached() if isinstance(image, Animation) and not _is_long(image) else image
