"""The cost of a render in pixels, from the headers of its source and its pipeline alone.

A render costs the largest image that it has on its way: the source, or what a step enlarges it to.
Each frame of an animation counts. Each image of a watermark is decoded once, and costs its pixels.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from contracts.formats import Format
from contracts.imaging import Inspected
from contracts.operations.pipeline import Pipeline
from contracts.operations.sizes import Size, size_after
from services.gateway.access.limits.policies import MEGAPIXEL

UNKNOWN = 24 * MEGAPIXEL
"""Cost of an image whose header says nothing, until a worker has read it: as much as a
photograph."""


@dataclass(frozen=True, slots=True)
class Picture:
    """The size of an image, and the number of its frames."""

    size: Size
    frames: int = 1


def picture_of(inspected: Inspected) -> Picture:
    """Return what a description says. Of the pages of a TIFF, the first one is rendered."""
    animated = Format(inspected.format).spec.animated
    return Picture((inspected.width, inspected.height), inspected.frames if animated else 1)


def cost_of(pictures: Mapping[str, Picture], source: str, pipelines: Iterable[Pipeline]) -> int:
    """Return the cost of several renders of the image `source`.

    `pictures` are the source and the images of watermarks, by their keys, as far as they are known.
    """
    return sum(_cost(pictures, pictures.get(source), pipeline) for pipeline in pipelines)


def _cost(pictures: Mapping[str, Picture], picture: Picture | None, pipeline: Pipeline) -> int:
    watermarks = [pictures.get(key) for key in pipeline.images]
    cost = sum(UNKNOWN if one is None else _pixels(one.size) for one in watermarks)
    if picture is None:
        return cost + UNKNOWN
    if not _pixels(picture.size):
        return cost  # it is not stored, so nothing is decoded
    size, frames = picture.size, picture.frames if pipeline.output.may_be_animated else 1
    largest = _pixels(size)
    for operation in pipeline.operations:
        size = size_after(operation, size)
        largest = max(largest, _pixels(size))
    return cost + largest * frames


def _pixels(size: Size) -> int:
    return size[0] * size[1]
