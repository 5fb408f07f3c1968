"""Each finish, by the pixels it returns."""

import math

import pytest
from PIL import Image, ImageStat

from contracts.errors import ImageTooBig
from contracts.operations.finishes import Background, Border, Finish, Round, Vignette
from contracts.operations.pipeline import Operation
from services.imaging.engine.operations.dispatch import apply
from services.imaging.engine.safety.limits import Limits
from tests.imaging.engine.operations.examples import examples_of
from tests.imaging.pictures import WORK_MODES, pixel, scenery

FINISHES = (
    *examples_of(Finish),
    Vignette(colour="teal"),
    Vignette(softness=0),
    Vignette(softness=1, amount=1),
    Border(width=3, colour="#ff000080"),
    Background(colour="teal"),
)


def flat(mode: str, size: tuple[int, int] = (60, 40), alpha: int = 90) -> Image.Image:
    """One gray; an alpha channel is `alpha` throughout."""
    image = Image.new("L", size, 100).convert(mode)
    if mode.endswith("A"):
        image.putalpha(alpha)
    return image


@pytest.mark.parametrize("mode", WORK_MODES)
@pytest.mark.parametrize("operation", FINISHES, ids=lambda operation: operation.op)
def test_a_finish_does_not_change_its_input(operation: Operation, mode: str) -> None:
    image = scenery(61, 47).convert(mode)
    before = image.copy()
    result = apply(image, operation)

    assert image.mode == before.mode
    assert image.tobytes() == before.tobytes()
    assert result.mode in WORK_MODES


@pytest.mark.parametrize("mode", WORK_MODES)
def test_a_vignette_keeps_the_middle_and_darkens_the_corners(mode: str) -> None:
    result = apply(flat(mode), Vignette(amount=0.8))
    row = [pixel(result, x, 20)[0] for x in range(30, 60)]

    assert result.mode == mode
    assert row[0] == 100
    assert row == sorted(row, reverse=True)
    assert pixel(result, 0, 0)[0] == pixel(result, 59, 39)[0] == pytest.approx(20, abs=2)
    if mode.endswith("A"):
        assert result.getchannel("A").getcolors() == [(2400, 90)]


@pytest.mark.parametrize(("mode", "expected"), [("L", "RGB"), ("LA", "RGBA"), ("RGB", "RGB")])
def test_a_coloured_vignette_makes_gray_images_coloured(mode: str, expected: str) -> None:
    result = apply(flat(mode), Vignette(amount=1, colour="red"))

    assert result.mode == expected
    assert pixel(result, 0, 0)[:3] == pytest.approx((255, 0, 0), abs=4)


@pytest.mark.parametrize("softness", [1, 0.75, 0.2])
def test_a_vignette_is_a_smoothstep_of_the_distance_from_the_middle(softness: float) -> None:
    result = apply(Image.new("L", (400, 300), 255), Vignette(amount=1, softness=softness))

    for x, y in ((0, 0), (399, 299), (40, 20), (359, 20), (100, 0), (100, 299), (0, 150)):
        distance = math.hypot((x + 0.5) / 200 - 1, (y + 0.5) / 150 - 1) / math.sqrt(2)
        part = max(0.0, (distance - 1 + softness) / softness)
        light = 255 - 255 * part * part * (3 - 2 * part)
        assert pixel(result, x, y)[0] == pytest.approx(light, abs=1.5)
    for turn in (Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.FLIP_TOP_BOTTOM):
        assert result.transpose(turn).tobytes() == result.tobytes()


def test_a_hard_vignette_covers_only_the_corners() -> None:
    result = apply(flat("L", (200, 200)), Vignette(amount=1, softness=0.1))

    assert pixel(result, 0, 0)[0] < 10
    assert pixel(result, 25, 25) == pixel(result, 100, 0) == (100,)


@pytest.mark.parametrize("mode", WORK_MODES)
def test_round_corners_are_transparent_and_their_edge_is_smooth(mode: str) -> None:
    result = apply(flat(mode, alpha=255), Round(radius=10))
    alpha = result.getchannel("A")

    assert result.mode == mode.removesuffix("A") + "A"
    assert {alpha.getpixel(spot) for spot in ((0, 0), (59, 0), (0, 39), (59, 39))} == {0}
    assert {alpha.getpixel(spot) for spot in ((0, 11), (11, 0), (59, 28), (30, 20))} == {255}
    assert len(alpha.getcolors() or ()) > 5
    assert ImageStat.Stat(alpha).sum[0] / 255 == pytest.approx(2400 - (4 - math.pi) * 100, abs=1)
    assert result.convert(mode).getpixel((30, 20)) == flat(mode, alpha=255).getpixel((30, 20))


def test_round_corners_keep_the_alpha_inside() -> None:
    alpha = apply(flat("RGBA", alpha=128), Round(radius="50%")).getchannel("A")

    assert alpha.getextrema() == (0, 128)


@pytest.mark.parametrize("side", [60, 61])
@pytest.mark.parametrize("radius", ["circle", "50%", 1000.0])
def test_half_the_side_as_radius_makes_a_circle(side: int, radius: float | str) -> None:
    alpha = apply(flat("L", (side, side)), Round.model_validate({"radius": radius})).getchannel("A")

    assert ImageStat.Stat(alpha).sum[0] / 255 == pytest.approx(math.pi * side**2 / 4, rel=0.003)
    for turn in (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180):
        assert alpha.transpose(turn).tobytes() == alpha.tobytes()


def test_a_circle_fills_the_shorter_side_and_is_centred() -> None:
    alpha = apply(flat("L", (100, 40)), Round(radius="circle")).getchannel("A")

    assert alpha.getbbox() == (30, 0, 70, 40)


def test_the_strips_of_a_large_corner_join_without_a_step() -> None:
    alpha = apply(Image.new("L", (3000, 2600)), Round(radius="circle")).getchannel("A")
    widths = [(alpha.crop((0, y, 1500, y + 1)).getbbox() or (1500,))[0] for y in range(1300)]

    assert widths == sorted(widths, reverse=True)
    assert ImageStat.Stat(alpha).sum[0] / 255 == pytest.approx(math.pi * 1300**2, rel=0.0005)


def test_a_radius_of_zero_rounds_nothing() -> None:
    assert apply(flat("RGB"), Round(radius=0)).getchannel("A").getextrema() == (255, 255)


@pytest.mark.parametrize("mode", WORK_MODES)
@pytest.mark.parametrize(
    ("colour", "expected"), [("#ffffff", ""), ("#ff0000", "RGB"), ("#00ff0080", "RGBA")]
)
def test_a_border_surrounds_the_image(colour: str, expected: str, mode: str) -> None:
    image = flat(mode)
    result = apply(image, Border(width=5, colour=colour))
    inside = result.crop((5, 5, 65, 45))

    assert result.size == (70, 50)
    assert result.mode == {"": mode, "RGBA": "RGBA"}.get(
        expected, "RGBA" if mode.endswith("A") else "RGB"
    )
    assert inside.tobytes() == image.convert(result.mode).tobytes()
    channels = (*bytes.fromhex(colour[1:]), 255)[:4]
    assert {pixel(result.convert("RGBA"), x, y) for x, y in ((0, 0), (69, 49), (4, 20))} == {
        channels
    }


def test_a_border_beyond_the_limits_is_refused() -> None:
    with pytest.raises(ImageTooBig, match="110 x 60"):
        apply(Image.new("L", (100, 50)), Border(width=5), Limits(result_side=100))


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_a_background_replaces_transparency(mode: str) -> None:
    white, teal = (apply(flat(mode, alpha=51), Background(colour=c)) for c in ("white", "#008080"))

    assert white.mode == mode.removesuffix("A")
    assert pixel(white.convert("RGB"), 3, 3) == (224, 224, 224)
    assert teal.mode == "RGB"
    assert pixel(teal, 3, 3) == (20, 122, 122)


def test_a_background_returns_an_opaque_image_unchanged() -> None:
    image = flat("RGB")

    assert apply(image, Background()) is image


@pytest.mark.parametrize("radius", [1e-9, 0.05, 0.0625, 0.07, "0.1%", 0.5, 1, 1.1, 2.5, 7.3])
def test_a_corner_clears_the_area_outside_of_its_circle(radius: float | str) -> None:
    alpha = apply(Image.new("RGB", (50, 50)), Round(radius=radius)).getchannel("A")
    cleared = sum(255 - value for value in alpha.tobytes()) / 255
    length = 50 * 0.001 if isinstance(radius, str) else radius

    assert cleared == pytest.approx((4 - math.pi) * length**2, rel=0.005, abs=0.02)
    assert pixel(alpha, 8, 8) == pixel(alpha, 41, 41) == (255,)
