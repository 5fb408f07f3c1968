"""The README's gallery: a line and a picture for each operation, as the engine makes it now."""

import io
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from contracts.operations.notation import parse_operation
from docs import make_gallery

# Levels of 255, the mean of all channels. Another kernel for the resize makes two of them, and the
# faintest picture is four away from its source.
BOUND = 1.0


@pytest.fixture(scope="module")
def originals() -> dict[str, bytes]:
    return make_gallery.sources()


@pytest.fixture(scope="module")
def made(originals: dict[str, bytes]) -> dict[str, bytes]:
    return make_gallery.gallery(originals)


def seen(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as image:
        # What is transparent has no colour.
        return image.convert("RGBA").convert("RGBa")


def apart(one: bytes, other: bytes) -> float:
    """The mean absolute difference, in levels; of another size everything is different."""
    first, second = seen(one), seen(other)
    if first.size != second.size:
        return 255.0
    difference = Image.merge(
        "RGBA",
        [ImageChops.difference(*pair) for pair in zip(first.split(), second.split(), strict=True)],
    )
    means = ImageStat.Stat(difference).mean
    return sum(means) / len(means)


def names_in(folder: Path) -> set[str]:
    return {picture.stem for picture in folder.iterdir() if picture.suffix == ".webp"}


def test_every_operation_has_a_line_in_the_readme_and_a_picture() -> None:
    readme = make_gallery.README.read_text("utf-8")
    for name in make_gallery.MODELS:
        assert f'<img src="docs/operations/{name}.webp"' in readme
    assert names_in(make_gallery.PICTURES) == set(make_gallery.MODELS)
    assert names_in(make_gallery.SOURCES) == set(make_gallery.SHOWN)


def test_the_readme_says_what_the_contract_says() -> None:
    readme = make_gallery.README.read_text("utf-8")
    assert make_gallery.replaced(readme, make_gallery.table()) == readme, "run make gallery"


def test_an_operation_without_an_example_is_named() -> None:
    with pytest.raises(LookupError, match=r"docs/make_gallery\.py: solarize, swirl\."):
        make_gallery.examples(["blur", "solarize", "swirl"])


@pytest.mark.parametrize("name", make_gallery.EXAMPLES)
def test_an_example_shows_its_own_operation(name: str) -> None:
    last = make_gallery.EXAMPLES[name].operations[-1].replace("LOGO", "0" * 64)
    assert parse_operation(last).op == name


@pytest.mark.parametrize("name", make_gallery.MODELS)
def test_a_picture_in_the_repository_is_what_the_engine_makes(
    name: str, made: dict[str, bytes]
) -> None:
    stored = (make_gallery.PICTURES / f"{name}.webp").read_bytes()
    assert apart(stored, made[name]) < BOUND


@pytest.mark.parametrize("name", make_gallery.MODELS)
def test_a_picture_shows_something(
    name: str, originals: dict[str, bytes], made: dict[str, bytes]
) -> None:
    before = originals[make_gallery.EXAMPLES[name].source]
    assert apart(before, made[name]) > 4 * BOUND
