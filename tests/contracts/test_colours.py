"""Colours as a person writes them."""

import pytest
from PIL import ImageColor
from pydantic import TypeAdapter, ValidationError

from contracts.fields import Colour, OpaqueColour

COLOUR: TypeAdapter[str] = TypeAdapter(Colour)
OPAQUE: TypeAdapter[str] = TypeAdapter(OpaqueColour)


@pytest.mark.parametrize(
    ("text", "colour"),
    [
        ("#ff8800", "#ff8800"),
        ("FF8800", "#ff8800"),
        ("f80", "#ff8800"),
        ("#f808", "#ff880088"),
        ("ff880080", "#ff880080"),
        ("ff8800ff", "#ff8800"),
        ("#ffff", "#ffffff"),
        ("ffffffff", "#ffffff"),
        (" DarkOrange ", "#ff8c00"),
    ],
)
def test_the_same_colour_is_always_the_same_text(text: str, colour: str) -> None:
    assert COLOUR.validate_python(text) == colour
    assert COLOUR.validate_python(colour) == colour


@pytest.mark.parametrize("name", sorted(ImageColor.colormap))
def test_every_name_that_pillow_knows_is_a_colour(name: str) -> None:
    assert ImageColor.getrgb(COLOUR.validate_python(name)) == ImageColor.getrgb(name)


@pytest.mark.parametrize("text", ["", "#", "ff", "fffff", "#ffg000", "orangeish", "rgb(1 2 3)"])
def test_what_is_no_colour_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="write #rrggbb"):
        COLOUR.validate_python(text)


def test_some_colours_have_to_be_opaque() -> None:
    assert OPAQUE.validate_python("f00f") == "#ff0000"
    with pytest.raises(ValidationError, match="opaque"):
        OPAQUE.validate_python("#ff000080")
