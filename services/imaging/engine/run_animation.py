"""Decode an animation and apply a pipeline's operations, one frame at a time."""

from collections.abc import Sequence

from PIL import Image

from contracts.errors import ImageTooBig, InvalidOperation
from contracts.operations.pipeline import Operation
from services.imaging.engine.decoding import decode
from services.imaging.engine.decoding.source import Source
from services.imaging.engine.operations import dispatch
from services.imaging.engine.operations.dispatch import Resolved
from services.imaging.engine.operations.overlays import Resources
from services.imaging.engine.raster.alpha import has_alpha
from services.imaging.engine.raster.animation import Animation, Frame
from services.imaging.engine.raster.profiles import match_profile
from services.imaging.engine.safety.limits import Limits

# The most plays that a WebP can store; a GIF can store one more, a PNG 2**32 - 1.
_MAX_PLAYS = 65_535


def make_animation(
    source: Source,
    operations: Sequence[Operation],
    limits: Limits,
    resources: Resources,
    *,
    keeps_profile: bool,
) -> tuple[Animation, bytes]:
    """The source's frames after the operations, in RGB or RGBA, and their ICC profile.

    The first frame is made at once, and resolves the operations for all frames; the others are
    made when the encoder reads them. The call, and reading a frame, raise ImageUnreadable,
    ImageTooBig, InvalidOperation and NotFound.
    """
    first = decode.decode_frame(source, 0, keeps_profile=keeps_profile)
    image, resolved = _resolve_all(first.image, operations, limits, resources)
    size, frames = image.size, source.frames
    limits.check_result(*size)
    if image.width * image.height * frames > limits.total_pixels:
        raise ImageTooBig(
            f"The result would be {frames} frames of {image.width} x {image.height}; "
            f"the limit is {limits.total_pixels:,} pixels in all."
        )
    # Always in colour: the AVIF encoder of Pillow 13.0 reads each gray frame twice.
    mode = "RGBA" if has_alpha(image) else "RGB"

    def make_frame(number: int) -> Frame:
        if number == 0:
            return Frame(image.convert(mode), first.duration)
        frame = decode.decode_frame(source, number, keeps_profile=keeps_profile)
        operated = frame.image
        for operation in resolved:
            operated = dispatch.apply(operated, operation, limits, resources)
        if operated.size != size:
            raise InvalidOperation("The operations give frames of different sizes.")
        return Frame(operated.convert(mode), frame.duration)

    _, profile = match_profile(image.convert(mode), first.profile)
    return Animation(make_frame, frames, min(source.plays, _MAX_PLAYS)), profile


def _resolve_all(
    image: Image.Image, operations: Sequence[Operation], limits: Limits, resources: Resources
) -> tuple[Image.Image, list[Resolved]]:
    """Apply the operations to the first frame, and resolve each on what the one before made."""
    resolved: list[Resolved] = []
    for operation in operations:
        resolved.append(dispatch.resolve(image, operation, resources))
        image = dispatch.apply(image, resolved[-1], limits, resources)
    return image, resolved
