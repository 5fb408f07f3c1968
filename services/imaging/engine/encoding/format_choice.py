"""Choose a result's format by the output settings, the source and the image."""

from collections.abc import Iterator

from PIL import Image, ImageSequence

from contracts.errors import InvalidOperation
from contracts.formats import Format, format_as_it_came
from contracts.outputs import AUTO, Output, Profile
from services.imaging.engine.decoding.source import Source
from services.imaging.engine.raster.alpha import has_alpha
from services.imaging.engine.raster.animation import Animation
from services.imaging.engine.raster.profiles import is_gray_profile

_MAX_PALETTE = 256  # colours

_MAX_PROFILE = 255 * 65_519  # bytes: as many as the segments of a JPEG hold (ICC.1:2022, B.4)


def is_animated(source: Source, output: Output) -> bool:
    """Return whether the result is an animation: the source is one, and the output may be one."""
    can_be = source.frames > 1 and source.format.spec.animated
    return can_be and output.may_be_animated


def keeps_profile(source: Source, output: Output) -> bool:
    """Return whether the result keeps the source's colour profile instead of becoming sRGB.

    It does if the output asks for that and every format that the result may have can hold the
    profile.
    """
    profile = source.profile
    if output.icc is not Profile.KEEP or not profile or len(profile) > _MAX_PROFILE:
        return False
    animated = is_animated(source, output)
    # A gray profile does not fit the colours that an animation is written in.
    if is_gray_profile(profile) and (animated or _may_store_gray_as_colour(output)):
        return False
    if isinstance(output.format, Format):
        return output.format.spec.icc
    return not animated or _animated_format(output, source.format).spec.icc


def depends_on_alpha(output: Output, source_format: Format) -> bool:
    """Return whether a still result's format depends on transparency in the image."""
    if output.format is None:
        return format_as_it_came(source_format) is not format_as_it_came(
            source_format, transparent=True
        )
    return output.format == AUTO


def able_formats(image: Image.Image, output: Output) -> list[Format]:
    """Return the formats of `output.among` that can hold the image, in the order of `among`."""
    able = [f for f in output.among if f.spec.lossless or not output.lossless]
    if isinstance(image, Animation):
        # Without PNG: an animation is larger as a PNG than in any other format.
        return [f for f in able if f.spec.animated and f.spec.quality]
    return [f for f in able if f.spec.alpha or not has_alpha(image)]


def has_two_forms(format: Format) -> bool:
    """Return whether a format has a lossy and a lossless form, which `attempts` may compare."""
    return format.spec.quality and format.spec.lossless


def attempts(
    image: Image.Image,
    output: Output,
    able: list[Format],
    source_format: Format,
    *,
    compare: bool,
) -> Iterator[tuple[Format, Output]]:
    """Yield each format to encode, with its settings; the smallest file is to be the result.

    Only one, unless `compare` is true and `able`, the result of `able_formats`, is not empty.
    Raises InvalidOperation if a format chosen here can't be lossless as the output demands.
    """
    if isinstance(output.format, Format):
        yield output.format, output
        return
    if able and compare:
        yield from _compared(image, output, able)
        return
    format = able[0] if able else _only_format(image, output, source_format)
    if output.lossless and not format.spec.lossless:
        raise InvalidOperation(f"lossless: the result is a {format}, which is always lossy.")
    yield format, output


def _may_store_gray_as_colour(output: Output) -> bool:
    named = (output.format,) if isinstance(output.format, Format) else output.among
    return not all(format.spec.gray for format in named)


def _compared(
    image: Image.Image, output: Output, able: list[Format]
) -> Iterator[tuple[Format, Output]]:
    """Yield the attempts one of which may be the smallest.

    An image of few colours is tried with a palette and without loss, too. Otherwise a format that
    is always lossless is larger than the lossy ones, and is not tried beside them.
    """
    few_colours = False
    if not output.lossless and any(format.spec.lossless for format in able):
        few_colours = all(frame.getcolors(_MAX_PALETTE) for frame in ImageSequence.Iterator(image))
    for format in able:
        if few_colours and format.spec.palette:
            yield format, output.model_copy(update={"palette": output.palette or _MAX_PALETTE})
        elif format.spec.quality or output.lossless or len(able) == 1:
            yield format, output
        if few_colours and has_two_forms(format):
            yield format, output.model_copy(update={"lossless": True})


def _only_format(image: Image.Image, output: Output, source_format: Format) -> Format:
    if isinstance(image, Animation):
        return _animated_format(output, source_format)
    return _still_format(output, source_format, image)


def _animated_format(output: Output, source_format: Format) -> Format:
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
