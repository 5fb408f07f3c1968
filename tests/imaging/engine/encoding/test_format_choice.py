"""The format of a result follows from the output, the source and the image."""

import pytest
from PIL import Image, ImageDraw
from pydantic import ValidationError

from contracts.errors import InvalidOperation
from contracts.formats import Format
from contracts.operations.pipeline import Pipeline
from contracts.outputs import AUTO, Output
from services.imaging.engine import pipeline
from services.imaging.engine.decoding.decode import inspect as inspected
from services.imaging.engine.encoding import result
from services.imaging.engine.pipeline import Rendition
from tests.imaging.pictures import decoded, encoded, pixel, psnr, scenery

PHOTO = scenery(320, 240)
PNG = encoded(PHOTO, "PNG")


def written(data: bytes = PNG, **fields: object) -> Rendition:
    return pipeline.run(data, Pipeline(output=Output.model_validate(fields)))


def test_lossless_is_refused_where_the_format_is_lossy() -> None:
    jpeg = encoded(PHOTO, "JPEG")

    assert written(jpeg, format="auto", lossless=True).format is Format.PNG
    with pytest.raises(InvalidOperation, match="lossless"):
        written(jpeg, lossless=True)


def test_settings_that_the_chosen_format_lacks_are_ignored() -> None:
    assert written(progressive=True, chroma="444").data == written().data


@pytest.mark.parametrize(
    ("source", "format"),
    [
        (encoded(PHOTO, "JPEG"), Format.JPEG),
        (encoded(PHOTO, "PNG"), Format.PNG),
        (encoded(PHOTO, "WEBP"), Format.JPEG),
        (encoded(Image.new("RGBA", (9, 9)), "AVIF"), Format.PNG),
        (encoded(PHOTO.convert("P"), "GIF"), Format.PNG),
        (encoded(PHOTO, "TIFF"), Format.PNG),
        (encoded(PHOTO, "HEIF"), Format.JPEG),
    ],
)
def test_auto_alone_chooses_jpeg_or_png(source: bytes, format: Format) -> None:
    assert written(source, format=AUTO).format is format


def _sign(mode: str = "RGB") -> bytes:
    """A PNG of letters, on white or on transparent pixels: few colours, sharp edges."""
    sign = Image.new(mode, (200, 200), "white" if mode == "RGB" else (0, 0, 0, 0))
    ImageDraw.Draw(sign).text((20, 60), "FOR SALE", fill="navy", font_size=36)
    return encoded(sign, "PNG")


@pytest.mark.parametrize("data", [PNG, _sign(), _sign("RGBA")])
@pytest.mark.parametrize(
    "among", [("avif", "webp", "jpeg", "png"), ("avif", "webp"), ("jpeg", "png"), ("avif", "png")]
)
def test_auto_chooses_the_smallest_named_format(data: bytes, among: tuple[str, ...]) -> None:
    result = written(data, format=AUTO, among=among)
    clear = decoded(data).mode == "RGBA"
    alone = [written(data, format=format) for format in among if not (clear and format == "jpeg")]

    assert result.format in [picture.format for picture in alone]
    assert len(result.data) <= min(len(picture.data) for picture in alone)


def test_auto_writes_few_colours_losslessly_where_that_is_smaller() -> None:
    sign = _sign()
    result = written(sign, format=AUTO, among=("avif", "webp", "png"))

    assert (result.format, len(result.data)) == (
        Format.WEBP,
        len(written(sign, format="webp", lossless=True).data),
    )
    assert psnr(decoded(result.data), decoded(sign)) == float("inf")
    paletted = written(sign, format=AUTO, among=("jpeg", "png"))
    assert decoded(paletted.data).mode == "P"
    assert psnr(decoded(paletted.data).convert("RGB"), decoded(sign)) == float("inf")


def test_auto_with_max_bytes_chooses_the_newest_format_and_keeps_animations() -> None:
    within = written(format=AUTO, among=("png", "webp", "avif"), max_bytes=4_000)
    assert (within.format, len(within.data) <= 4_000) == (Format.AVIF, True)
    frames = [PHOTO, PHOTO.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    moving = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100)
    animation = written(moving, format=AUTO, among=("jpeg", "webp"))
    assert animation.format is Format.WEBP
    assert inspected(animation.data).frames == 2


ALL = ("avif", "webp", "jpeg", "png")


def _animations() -> dict[tuple[Format, bool], bytes]:
    """Animations by the format, and whether lossless, in which each is smallest."""
    noise = Image.effect_noise(PHOTO.size, 60).convert("RGB")
    turns, sign = (0, 90, 180), decoded(_sign())
    found = {
        (Format.AVIF, False): [PHOTO.rotate(turn / 90) for turn in turns],
        (Format.WEBP, False): [Image.blend(PHOTO, noise.rotate(turn), 0.4) for turn in turns],
        (Format.WEBP, True): [sign.rotate(turn) for turn in turns],
    }
    return {
        kind: encoded(first, "WEBP", save_all=True, append_images=others, lossless=True)
        for kind, (first, *others) in found.items()
    }


def test_auto_chooses_the_smallest_format_for_an_animation() -> None:
    for (format, lossless), data in _animations().items():
        found = written(data, format=AUTO, among=ALL)
        alone = [written(data, format=other) for other in ("avif", "webp")]

        assert found.data == written(data, format=format, lossless=lossless).data
        assert len(found.data) <= min(len(picture.data) for picture in alone)
        assert inspected(found.data).frames == 3


def test_auto_gives_a_long_animation_the_newest_format(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(result, "_MAX_CACHED_PIXELS", 2 * 200 * 200)

    for data in _animations().values():
        assert written(data, format=AUTO, among=ALL).format is Format.AVIF


def test_auto_with_lossless_keeps_every_pixel() -> None:
    result = written(format=AUTO, among=("avif", "webp", "jpeg", "png"), lossless=True)

    assert psnr(decoded(result.data), PHOTO) == float("inf")


def test_formats_are_named_only_for_auto() -> None:
    for fields in ({"format": "png", "among": ["webp"]}, {"format": AUTO, "among": ["gif"]}):
        with pytest.raises(ValidationError, match="among"):
            Output.model_validate(fields)


def test_an_opaque_alpha_channel_does_not_rule_out_jpeg() -> None:
    opaque, clear = PHOTO.convert("RGBA"), PHOTO.convert("RGBA")
    clear.paste((0, 0, 0, 0), (0, 0, 40, 40))

    for image, format in ((opaque, "jpeg"), (clear, "png")):
        heif = encoded(image, "HEIF", quality=100)
        assert written(encoded(image, "PNG"), format=AUTO, among=("jpeg", "png")).format == format
        assert written(heif).format == format
    assert decoded(written(encoded(opaque, "PNG")).data).mode == "RGBA", "it stays what it was"


@pytest.mark.parametrize("fields", [{"lossless": True}, {}])
def test_an_animation_whose_frames_become_equal_can_be_opened(fields: dict[str, object]) -> None:
    frames = [Image.new("RGBA", (64, 64)) for _ in range(3)]
    for number, frame in enumerate(frames):
        frame.paste("red", (4, 4, 20, 20))
        frame.paste("lime", (40, 10 * number, 60, 10 * number + 9))
    data = encoded(frames[0], "PNG", save_all=True, append_images=frames[1:], duration=100)
    still = {"op": "extract", "left": 0, "top": 0, "width": 32, "height": 64}

    for asked in ({"format": "webp"}, {"format": AUTO, "among": ("webp", "png")}):
        output = {**asked, **fields}
        result = pipeline.run(
            data, Pipeline.model_validate({"operations": [still], "output": output})
        )
        seen = decoded(result.data).convert("RGBA")
        assert pixel(seen, 1, 1)[3] == 0
        assert pixel(seen, 12, 12)[0] > 240
