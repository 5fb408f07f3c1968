"""Decode a still image, only as large as a pipeline needs, and apply the pipeline's operations.

A JPEG's decoder can halve the size up to three times, and skip colours, at a fraction of the work.
"""

import math
from collections.abc import Sequence

from PIL import Image

from contracts.formats import Format
from contracts.operations.choices import Filter, Gravity
from contracts.operations.looks import Blur, Grayscale
from contracts.operations.pipeline import Operation
from contracts.operations.shapes import Crop, Extract, Flip, Flop, Resize, Rotate
from contracts.operations.sizes import Size, place_resize
from services.imaging.engine.decoding import decode
from services.imaging.engine.decoding.decode import Decoded, Draft
from services.imaging.engine.decoding.source import Source
from services.imaging.engine.operations import dispatch, shapes
from services.imaging.engine.operations.overlays import Resources
from services.imaging.engine.raster.colours import SRGB
from services.imaging.engine.raster.geometry import Extent
from services.imaging.engine.safety.limits import Limits

# From how many source pixels for a pixel of the result a JPEG is decoded at 1/8, 1/4 and 1/2. The
# draft is then at least 4/3 of the size wanted, and no result is less like a resize of every pixel
# than that of sharp, which takes its drafts from 9, 5 and 3 pixels on.
_DRAFTS = ((8, 32 / 3), (4, 16 / 3), (2, 3.0))

# Filters that copy or average exact pixels: a draft, which is averaged, gives them other values.
_FILTERS_OF_EXACT_PIXELS = (Filter.NEAREST, Filter.BOX)

# Operations that are linear and the same for each channel (no tone curves): before a grayscale,
# they give the same picture from luma alone.
_COMMUTE_WITH_LUMA = (Resize, Crop, Extract, Rotate, Flip, Flop, Blur)

DecodeCache = dict[Draft, Decoded]
"""Decodings of one source, for several pipelines."""

# Of all drafts of a source together. A picture of 24 megapixels and its drafts at a half, a quarter
# and an eighth have so many. They are 128 MB in colour.
_MAX_CACHED_PIXELS = 32_000_000


def decode_still(
    source: Source, operations: Sequence[Operation], cache: DecodeCache, *, keeps_profile: bool
) -> Decoded:
    """Decode the source's first frame, or take it from the cache, and add it there.

    `keeps_profile` keeps its colours and profile instead of converting to sRGB. Raises
    ImageUnreadable and ImageTooBig.
    """
    draft = _choose_draft(source, operations, keeps_profile=keeps_profile)
    decoded = cache.get(draft) or decode.decode(source, draft)
    cached = sum(math.prod(one.image.size) for one in cache.values())
    if cached + math.prod(decoded.image.size) <= _MAX_CACHED_PIXELS:
        cache[draft] = decoded
    return decoded


def apply_operations(
    decoded: Decoded, operations: Sequence[Operation], limits: Limits, resources: Resources
) -> Image.Image:
    """The image after all operations. Raises InvalidOperation, ImageTooBig and NotFound."""
    image, extent = decoded.image, decoded.extent
    for operation in operations:
        if isinstance(operation, Resize):
            image = shapes.resize(image, operation, extent, limits)
        else:
            image = dispatch.apply(image, operation, limits, resources)
        if not isinstance(operation, Grayscale):
            # Only a draft's picture may end within a pixel; this image is no draft any more.
            extent = Extent.whole(image.size)
    return image


def _first_resize(operations: Sequence[Operation]) -> Resize | None:
    """The resize that gets every pixel of the source, if there is one: only grayscales precede."""
    for operation in operations:
        if isinstance(operation, Resize):
            return operation
        if not isinstance(operation, Grayscale):
            break
    return None


def _choose_draft(source: Source, operations: Sequence[Operation], *, keeps_profile: bool) -> Draft:
    """The least decoding that serves the operations.

    It is equal for pipelines that need the same decoded pixels, and so a key of the cache.
    """
    if source.format is not Format.JPEG:
        return Draft(keeps_profile=keeps_profile)
    resize = _first_resize(operations)
    scale = 1
    if resize and resize.filter not in _FILTERS_OF_EXACT_PIXELS:
        scale = _draft_scale(source.size, resize)
    # A profile converts colours, so it needs them.
    luma_only = _ends_gray(operations) and source.colours == SRGB
    return Draft(
        size=(source.size[0] // scale, source.size[1] // scale) if scale > 1 else None,
        mode="L" if luma_only else None,
        keeps_profile=keeps_profile,
    )


def _draft_scale(picture: Size, resize: Resize) -> int:
    """The largest divisor of a JPEG's decoder (1, 2, 4, 8) that leaves enough for the resize."""
    placement = place_resize(picture, resize)
    left, upper, right, lower = placement.box
    width, height = placement.size
    shrinks = min((right - left) / width, (lower - upper) / height)
    return next((scale for scale, least in _DRAFTS if shrinks >= least), 1)


def _ends_gray(operations: Sequence[Operation]) -> bool:
    """Return whether a grayscale follows, and nothing before it needs colours."""
    for operation in operations:
        if isinstance(operation, Grayscale):
            return True
        if not isinstance(operation, _COMMUTE_WITH_LUMA) or _reads_colours(operation):
            break
    return False


def _reads_colours(operation: Operation) -> bool:
    return isinstance(operation, Resize | Crop) and operation.gravity is Gravity.SMART
