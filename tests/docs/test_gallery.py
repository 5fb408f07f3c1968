"""The pictures of the operations: one each, as the engine renders it, and unlike its source."""

import io
from pathlib import Path
from typing import Literal

import pytest
from PIL import Image, ImageChops, ImageStat

from contracts.operations.base import BaseOperation
from contracts.operations.notation import parse_operation
from contracts.operations.pipeline import OPERATIONS
from docs.generate import operations
from docs.generate.pictures import gallery

# Mean difference in levels of 255. A different resampling kernel causes 2 levels; the picture
# closest to its source differs from it by 4.
BOUND = 1.0


@pytest.fixture(scope="module")
def originals() -> dict[str, bytes]:
    return gallery.sources()


@pytest.fixture(scope="module")
def made(originals: dict[str, bytes]) -> dict[str, bytes]:
    return gallery.gallery(originals)


def premultiplied(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as image:
        # Transparent pixels compare equal, whatever their colour.
        return image.convert("RGBA").convert("RGBa")


def difference(one: bytes, other: bytes) -> float:
    """Return the mean absolute difference in levels; 255 for images of different sizes."""
    first, second = premultiplied(one), premultiplied(other)
    if first.size != second.size:
        return 255.0
    differences = Image.merge(
        "RGBA",
        [ImageChops.difference(*pair) for pair in zip(first.split(), second.split(), strict=True)],
    )
    means = ImageStat.Stat(differences).mean
    return sum(means) / len(means)


def names_in(folder: Path) -> set[str]:
    return {picture.stem for picture in folder.iterdir() if picture.suffix == ".webp"}


def test_every_operation_has_a_picture_and_a_page_shows_it() -> None:
    shown = "".join(operations.pages().values())
    for name in OPERATIONS:
        assert f"pictures/operations/{name}.webp" in shown
    assert names_in(gallery.PICTURES) == set(OPERATIONS)
    assert names_in(gallery.SOURCES) == set(gallery.SHOWN)


def test_an_operation_without_a_demonstration_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="Solarize needs a demonstration"):

        class Solarize(BaseOperation):
            op: Literal["solarize"] = "solarize"


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_demonstration_ends_with_its_own_operation(name: str) -> None:
    last = OPERATIONS[name].demonstration.operations[-1].replace("LOGO", "0" * 64)
    assert parse_operation(last).op == name


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_stored_picture_matches_what_the_engine_renders(
    name: str, made: dict[str, bytes]
) -> None:
    stored = (gallery.PICTURES / f"{name}.webp").read_bytes()
    assert difference(stored, made[name]) < BOUND


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_picture_differs_from_its_source(
    name: str, originals: dict[str, bytes], made: dict[str, bytes]
) -> None:
    before = originals[OPERATIONS[name].demonstration.sample]
    assert difference(before, made[name]) > 4 * BOUND
