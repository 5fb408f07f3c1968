"""Texts over an image: colours, sizes, lines, fonts."""

import io
from pathlib import Path

import pytest
from PIL import Image, ImageFont, features

from contracts.errors import ImageTooBig, InvalidOperation
from contracts.operations.overlays import Position, Text
from services.imaging.engine.operations.dispatch import apply
from services.imaging.engine.operations.fonts import Fonts
from services.imaging.engine.operations.overlays import Resources
from tests.imaging.engine.operations.overlaid import changed, picture
from tests.imaging.pictures import BLUE, RED, WORK_MODES, pixel


@pytest.mark.parametrize("mode", WORK_MODES)
def test_a_text_has_its_colour(mode: str) -> None:
    image = picture(mode, (300, 60))
    before = image.tobytes()
    text = Text(text="HHHH", size=40, colour="#ff0000", position=Position.LEFT, x=20)
    result = apply(image, text).convert("RGBA")
    seen = [pixel(result, x, 30) for x in range(300)]

    assert image.tobytes() == before
    assert seen.count((255, 0, 0, 255)) > 20
    assert {one[:3] for one in seen[:20] + seen[200:]} == {pixel(image.convert("RGBA"), 0, 30)[:3]}


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_a_gray_text_keeps_an_image_gray(mode: str) -> None:
    image = picture(mode)

    assert apply(image, Text(text="!", stroke=1)).mode == mode
    assert apply(image, Text(text="!", stroke=1, stroke_colour="red")).mode == "RGB" + mode[1:]


def test_the_edge_of_a_letter_has_its_colour() -> None:
    result = apply(Image.new("RGBA", (200, 80), (0, 0, 0, 0)), Text(text="OS", size=60))
    colours = result.getcolors(2000) or []

    assert {colour[:3] for _, colour in colours if isinstance(colour, tuple) and colour[3]} == {
        (255, 255, 255)
    }
    assert len(colours) > 20


def test_a_size_in_percent_refers_to_the_width() -> None:
    image = picture(size=(400, 100))

    assert apply(image, Text(text="Mix", size="10%")) == apply(image, Text(text="Mix", size=40))


def test_a_stroke_surrounds_the_letters() -> None:
    plain, stroked = (
        Text(
            text="I",
            size=80,
            position=Position.CENTER,
            colour="blue",
            stroke=width,
            stroke_colour="red",
        )
        for width in (0, 5)
    )
    image = Image.new("RGB", (200, 100), "white")
    box = apply(image, plain).getchannel("R").point(lambda red: 255 * (red < 128)).getbbox()
    assert box is not None
    left, upper, right, _ = box
    result = apply(image, stroked)

    assert pixel(result, (left + right) // 2, 50) == BLUE
    for x, y in ((left - 3, 50), (right + 2, 50), ((left + right) // 2, upper - 3)):
        assert pixel(result, x, y) == RED
    assert pixel(result, left - 7, 50) == pixel(result, right + 6, 50) == (255, 255, 255)


def test_lines_are_aligned_by_the_position() -> None:
    image = picture("L", (300, 100))

    def starts(position: Position) -> list[int]:
        result = apply(image, Text(text="i\nwwwww", size=30, position=position))
        box = changed(result)
        assert box is not None
        half = (box[1] + box[3]) // 2
        lines = result.crop((0, 0, 300, half)), result.crop((0, half + 4, 300, 100))
        return [(changed(line) or (0,))[0] for line in lines]

    left, middle, right = map(starts, (Position.LEFT, Position.CENTER, Position.RIGHT))
    assert left[0] == pytest.approx(left[1], abs=3)
    assert 30 < middle[0] - middle[1] < right[0] - right[1]


@pytest.mark.parametrize(
    "text",
    [
        Text(text="seen", size=30, position=Position.TILE, x=9, y=9, opacity=0.4),
        Text(text="   "),
        Text(text="\n\n\n"),
        Text(text="x" * 500, size=9),
        Text(text="x\n" * 250, size=9, position=Position.CENTER),
        Text(text="|", size=2000, stroke=100),
        Text(text=".", size="0%"),
    ],
    ids=["tile", "blank", "lines", "wide", "high", "large", "tiny"],
)
def test_a_text_is_cut_off_at_the_edges(text: Text) -> None:
    image = picture()

    assert apply(image, text).size == image.size


def test_a_text_of_too_many_pixels_is_refused() -> None:
    with pytest.raises(ImageTooBig, match="The text would be"):
        apply(picture(), Text(text="x" * 500, size=2000))


@pytest.fixture
def fonts(tmp_path: Path) -> Fonts:
    """A directory with one font and one other file."""
    bundled = ImageFont.load_default(10)
    assert isinstance(bundled, ImageFont.FreeTypeFont)
    assert isinstance(bundled.path, io.BytesIO)
    (tmp_path / "house").mkdir()
    (tmp_path / "house" / "House Sans.TTF").write_bytes(bundled.path.getvalue())
    (tmp_path / "readme.txt").write_text("no font")
    return Fonts.in_directory(tmp_path)


def test_a_font_is_found_by_its_name(fonts: Fonts) -> None:
    image, text = picture(), Text(text="same")

    assert apply(
        image, text.model_copy(update={"font": "House Sans"}), resources=Resources(fonts=fonts)
    ) == (apply(image, text))


@pytest.mark.parametrize("name", ["readme", "Times", "../house/House Sans", "/etc/passwd", ""])
def test_an_unknown_font_is_refused_with_the_known_names(name: str, fonts: Fonts) -> None:
    with pytest.raises(InvalidOperation, match=r"the fonts are: House Sans\."):
        apply(picture(), Text(text="x", font=name), resources=Resources(fonts=fonts))


def test_characters_that_a_font_lacks_are_named() -> None:
    with pytest.raises(InvalidOperation, match="lacks é я"):
        apply(picture(), Text(text="café я"))


def test_right_to_left_text_without_raqm_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(features, "check", lambda feature: False)

    with pytest.raises(InvalidOperation, match="Raqm"):
        apply(picture(), Text(text="שלום"))
