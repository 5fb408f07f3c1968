"""Animations: every frame taken through the same operations, one at a time."""

from contracts.errors import ImageTooBig, InvalidOperation
from contracts.operations.pipeline import Operation
from services.imaging.engine.decoding import decode
from services.imaging.engine.decoding.source import Source
from services.imaging.engine.operations import dispatch
from services.imaging.engine.operations.dispatch import Settled
from services.imaging.engine.operations.resources import Resources
from services.imaging.engine.raster.alpha import flatten_on_white, has_alpha
from services.imaging.engine.raster.animation import Animation, Frame
from services.imaging.engine.raster.profiles import fitting
from services.imaging.engine.safety.limits import Limits

_MOST_PLAYS = 65_535  # what a WebP can say; a GIF can say once more, a PNG four thousand million


def film(
    source: Source,
    steps: tuple[Operation, ...],
    limits: Limits,
    beside: Resources,
    *,
    keeps_profile: bool,
) -> tuple[Animation, bytes]:
    """The source's frames after the operations, drawn when they are asked for, and their profile.

    What an operation makes dependent on pixels is decided by the first frame. Raises ImageTooBig
    and InvalidOperation, and so does drawing.
    """
    start, frames = source.start, source.moving
    first = decode.decode_frame(source, start, keeps_profile=keeps_profile)
    image = first.image
    settled: list[Settled] = []
    for step in steps:
        decided = dispatch.settle(image, step, beside)
        image = dispatch.apply(image, decided, limits, beside)
        settled.append(decided)
    limits.check_result(*image.size)
    if image.width * image.height * frames > limits.total_pixels:
        raise ImageTooBig(
            f"The result would be {frames} frames of {image.width} x {image.height}; "
            f"{limits.total_pixels:,} pixels are made in all."
        )
    # AVIF's writer looks at every frame of a gray film twice.
    mode = "RGBA" if has_alpha(image) else "RGB"
    size = image.size

    def draw(number: int) -> Frame:
        if number == 0:
            return Frame(image.convert(mode), first.duration)
        frame = decode.decode_frame(source, start + number, keeps_profile=keeps_profile)
        drawn = frame.image
        for operation in settled:
            drawn = dispatch.apply(drawn, operation, limits, beside)
        if drawn.size != size:
            raise InvalidOperation("The operations give frames of different sizes.")
        return Frame(
            (drawn if mode == "RGBA" else flatten_on_white(drawn)).convert(mode), frame.duration
        )

    _, profile = fitting(image.convert(mode), first.profile)
    return Animation(draw, frames, min(source.plays, _MOST_PLAYS)), profile
