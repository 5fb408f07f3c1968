"""Watermarks and texts, by the pixels of the result."""

import pytest
from PIL import Image

from contracts.errors import NotFound
from contracts.operations.overlays import OverlayOperation, Position, Text, Watermark
from contracts.operations.pipeline import Operation
from services.imaging.engine.operations.dispatch import apply, resolve
from services.imaging.engine.operations.overlays import Resources
from tests.imaging.engine.operations.overlaid import KEY, changed, picture, watermarked
from tests.imaging.pictures import BLUE, RED, WORK_MODES, pixel, psnr, scenery


@pytest.mark.parametrize("mode", WORK_MODES)
@pytest.mark.parametrize("over", WORK_MODES)
def test_a_watermark_covers_the_image_and_changes_neither_input(mode: str, over: str) -> None:
    image, overlay = picture(mode), Image.new("RGB", (10, 8), RED).convert(over)
    before, overlay_before = image.tobytes(), overlay.tobytes()
    result = watermarked(image, overlay, position="top_left", x=5, y=3)

    assert (image.tobytes(), overlay.tobytes()) == (before, overlay_before)
    assert result.mode == ("RGB" if "RGB" in mode + over else "L") + "A" * mode.endswith("A")
    assert result.crop((5, 3, 15, 11)).convert("RGB").tobytes() == overlay.convert("RGB").tobytes()
    assert pixel(result.convert(mode), 4, 3) == pixel(image, 4, 3)
    assert pixel(result.convert(mode), 15, 3) == pixel(image, 15, 3)


@pytest.mark.parametrize(
    ("position", "box"),
    [
        (Position.TOP_LEFT, (7, 5, 17, 13)),
        (Position.TOP, (52, 5, 62, 13)),
        (Position.TOP_RIGHT, (83, 5, 93, 13)),
        (Position.LEFT, (7, 31, 17, 39)),
        (Position.CENTER, (52, 31, 62, 39)),
        (Position.RIGHT, (83, 31, 93, 39)),
        (Position.BOTTOM_LEFT, (7, 47, 17, 55)),
        (Position.BOTTOM, (52, 47, 62, 55)),
        (Position.BOTTOM_RIGHT, (83, 47, 93, 55)),
    ],
)
def test_x_and_y_count_inwards_from_the_position(
    position: Position, box: tuple[int, int, int, int]
) -> None:
    overlay = Image.new("L", (10, 8), 255)

    assert changed(watermarked(picture(), overlay, position=position, x=7, y=5)) == box


@pytest.mark.parametrize(
    ("x", "y", "box"),
    [(-4, -3, (94, 55, 100, 60)), (95, 55, (0, 0, 5, 5)), (-10, 0, None), (0, 16_384, None)],
)
def test_a_watermark_outside_of_the_image_is_cut_off(
    x: int, y: int, box: tuple[int, int, int, int] | None
) -> None:
    assert changed(watermarked(picture(), Image.new("L", (10, 8), 255), x=x, y=y)) == box


def test_a_watermark_larger_than_the_image_is_cut_off() -> None:
    overlay = Image.new("RGB", (300, 300), RED)
    overlay.paste(BLUE, (100, 120, 200, 180))

    assert watermarked(picture(), overlay, position="center").getcolors() == [(6000, BLUE)]


@pytest.mark.parametrize("mode", WORK_MODES)
def test_tiles_cover_the_image_with_gaps_of_x_and_y(mode: str) -> None:
    overlay = Image.new("L", (10, 8), 255)
    result = watermarked(picture(mode), overlay, position="tile", x=5, y=2).convert("RGBA")

    for x in range(0, 100, 7):
        for y in range(0, 60, 3):
            covered = x % 15 < 10 and y % 10 < 8
            assert (pixel(result, x, y) == (255, 255, 255, 255)) == covered


def test_tiles_of_one_pixel_cover_a_large_image() -> None:
    result = watermarked(picture(size=(1000, 1000)), Image.new("RGB", (1, 1), RED), position="tile")

    assert result.getcolors() == [(1_000_000, RED)]


@pytest.mark.parametrize(
    ("overlay", "scale", "size"),
    [
        ((10, 8), 0.5, (50, 40)),
        ((400, 40), 0.25, (25, 3)),  # 2.5
        ((10, 40), 1, (15, 60)),
        ((10, 8), None, (10, 8)),
        ((1, 1000), 0.001, (1, 60)),
    ],
)
def test_scale_is_a_part_of_the_width_and_limited_by_the_height(
    overlay: tuple[int, int], scale: float | None, size: tuple[int, int]
) -> None:
    result = watermarked(picture(), Image.new("L", overlay, 255), scale=scale, position="top_left")

    assert changed(result) == (0, 0, *size)


@pytest.mark.parametrize(("opacity", "tone"), [(0, 100), (0.2, 131), (1, 255)])
def test_opacity_blends_watermark_and_image(opacity: float, tone: int) -> None:
    result = watermarked(picture("L"), Image.new("L", (100, 60), 255), opacity=opacity)

    assert result.getcolors() == [(6000, tone)]


def test_over_transparent_pixels_a_watermark_keeps_colour_and_alpha() -> None:
    image = Image.new("RGBA", (20, 20), (0, 255, 0, 0))
    result = watermarked(image, Image.new("RGBA", (20, 20), (200, 0, 0, 100)), opacity=0.5)

    assert pixel(result, 5, 5) == (200, 0, 0, 50)


def test_scaling_a_watermark_spreads_no_colour_of_its_transparent_pixels() -> None:
    overlay = Image.new("RGBA", (200, 120), (0, 255, 0, 0))
    overlay.paste((100, 100, 100, 255), (50, 30, 150, 90))
    result = watermarked(picture(), overlay, scale=1, position="center")

    assert psnr(result, picture()) > 50


def test_a_missing_image_is_named() -> None:
    with pytest.raises(NotFound, match=KEY):
        apply(picture(), Watermark(image=KEY))


@pytest.mark.parametrize("operation", [Text(text="x", opacity=0), Watermark(image=KEY, opacity=0)])
def test_an_opacity_of_zero_changes_nothing(operation: Operation) -> None:
    image = scenery(60, 40)
    resources = Resources({KEY: Image.new("RGB", (9, 9), RED)})

    assert apply(image, operation, resources=resources) == image


@pytest.mark.parametrize("mode", WORK_MODES)
@pytest.mark.parametrize(
    "operation",
    [
        Text(text="frame", size="20%", stroke=2, opacity=0.7),
        Watermark(image=KEY, scale=0.3, position=Position.TILE, x=3, y=3),
    ],
)
def test_a_resolved_overlay_does_the_same_on_other_images_of_the_size(
    operation: OverlayOperation, mode: str
) -> None:
    resources = Resources({KEY: scenery(90, 60).convert("RGBA")})
    first, other = picture(mode), scenery(100, 60).convert(mode)
    resolved = resolve(first, operation, resources)

    assert apply(first, resolved) == apply(first, operation, resources=resources)
    assert apply(other, resolved) == apply(other, operation, resources=resources)
