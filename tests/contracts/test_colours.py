"""Colours: CSS names and hex digits, normalised to one spelling."""

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
def test_equal_colours_are_normalised_to_one_spelling(text: str, colour: str) -> None:
    assert COLOUR.validate_python(text) == colour
    assert COLOUR.validate_python(colour) == colour


@pytest.mark.parametrize("name", sorted(ImageColor.colormap))
def test_every_colour_name_of_pillow_is_accepted(name: str) -> None:
    assert ImageColor.getrgb(COLOUR.validate_python(name)) == ImageColor.getrgb(name)


@pytest.mark.parametrize("text", ["", "#", "ff", "fffff", "#ffg000", "orangeish", "rgb(1 2 3)"])
def test_other_text_is_not_a_colour(text: str) -> None:
    with pytest.raises(ValidationError, match="write #rrggbb"):
        COLOUR.validate_python(text)


def test_an_opaque_colour_has_no_alpha() -> None:
    assert OPAQUE.validate_python("f00f") == "#ff0000"
    with pytest.raises(ValidationError, match="opaque"):
        OPAQUE.validate_python("#ff000080")
