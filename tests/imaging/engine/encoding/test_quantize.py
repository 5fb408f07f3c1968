"""Results with a palette keep few colours exactly, and reduce many."""

import pytest
from PIL import Image

from contracts.operations.pipeline import Pipeline
from contracts.outputs import Output
from services.imaging.engine import pipeline
from services.imaging.engine.pipeline import Rendition
from tests.imaging.pictures import decoded, encoded, psnr, quadrants, scenery

PHOTO = scenery(320, 240)
PNG = encoded(PHOTO, "PNG")


def written(data: bytes = PNG, **fields: object) -> Rendition:
    return pipeline.run(data, Pipeline(output=Output.model_validate(fields)))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "L"])
@pytest.mark.parametrize("format", ["png", "gif"])
def test_a_palette_has_no_more_colours_than_asked(mode: str, format: str) -> None:
    source = PHOTO.convert(mode)
    if mode.endswith("A"):
        source.putalpha(Image.linear_gradient("L").resize(source.size))
    few = written(encoded(source, "PNG"), format=format, palette=16)
    result = decoded(few.data)

    assert result.mode == "P"
    colours = result.convert("RGBA").getcolors(1 << 20)
    assert colours is not None
    assert len(colours) <= 16
    assert len(few.data) < len(written(encoded(source, "PNG"), format="png").data)
    assert result.has_transparency_data == mode.endswith("A")


def test_an_image_of_few_colours_keeps_them_exactly() -> None:
    data = encoded(quadrants(), "PNG")

    for format in ("gif", "png"):
        few = decoded(written(data, format=format, palette=4).data)
        assert psnr(few.convert("RGB"), quadrants()) > 90


@pytest.mark.parametrize("alphas", [(0, 255), (0, 90, 255), (255,)])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("format", ["gif", "png"])
def test_an_image_of_few_colours_and_transparency_keeps_them_exactly(
    mode: str, format: str, alphas: tuple[int, ...]
) -> None:
    picture = Image.new("RGBA", (64, 64))
    for at in range(64 * 64):
        shade = at * 7 % 85
        # Transparent pixels differ in colour, too.
        picture.putpixel(
            (at % 64, at // 64), (shade, 255 - shade * 2, 9, alphas[at // 85 % len(alphas)])
        )
    source = picture.convert(mode)
    few = decoded(written(encoded(source, "PNG"), format=format, palette=256).data)
    seen = source.convert("RGBA")
    if format == "gif":
        seen.putalpha(seen.getchannel("A").point([0] * 128 + [255] * 128))

    assert few.mode == "P"
    for ground in ("black", "white"):
        one, other = (Image.new("RGBA", seen.size, ground) for _ in range(2))
        one.alpha_composite(seen)
        other.alpha_composite(few.convert("RGBA"))
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("alpha", [255, 200])
@pytest.mark.parametrize("format", ["gif", "png"])
def test_an_opaque_alpha_channel_takes_no_colour_of_the_palette(format: str, alpha: int) -> None:
    source = Image.new("RGBA", (16, 16))
    for at in range(256):
        source.putpixel((at % 16, at // 16), (at, 255 - at, at * 7 % 256, alpha))
    few = decoded(written(encoded(source, "PNG"), format=format, palette=256).data)

    shown = few.convert("RGBA")
    assert shown.convert("RGB").tobytes() == source.convert("RGB").tobytes()
    assert few.has_transparency_data == (format == "png" and alpha < 255)


@pytest.mark.parametrize("format", ["gif", "png"])
def test_many_colours_and_a_transparent_one_share_a_palette(format: str) -> None:
    source = PHOTO.convert("RGBA")
    source.paste((0, 0, 0, 0), (0, 0, 160, 240))
    few = decoded(written(encoded(source, "PNG"), format=format, palette=256).data)

    assert few.convert("RGBA").getchannel("A").tobytes() == source.getchannel("A").tobytes()
    right = (160, 0, 320, 240)
    assert psnr(few.convert("RGB").crop(right), source.convert("RGB").crop(right)) > 33
