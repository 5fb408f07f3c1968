"""What results are written as: every option shows in the bytes."""

import io

import pytest
from PIL import Image, ImageDraw
from pydantic import ValidationError

from contracts.errors import ImageTooBig, InvalidOperation
from contracts.formats import Format
from contracts.operations.pipeline import Pipeline
from contracts.outputs import AUTO, Chroma, Output
from services.imaging.engine import pipeline
from services.imaging.engine.decoding.decode import inspect as inspected
from services.imaging.engine.encoding import result
from services.imaging.engine.formats import plugins
from services.imaging.engine.pipeline import Rendition
from tests.imaging.pictures import decoded, encoded, pixel, psnr, quadrants, scenery

PHOTO = scenery(320, 240)
PNG = encoded(PHOTO, "PNG")


def written(data: bytes = PNG, **fields: object) -> Rendition:
    return pipeline.run(data, Pipeline(output=Output.model_validate(fields)))


def test_the_defaults_are_what_they_were() -> None:
    for format, options in (
        ("JPEG", {"quality": 80}),
        ("PNG", {"compress_level": 3}),
        ("WEBP", {"quality": 80, "method": 2}),
        ("AVIF", {"quality": 80, "speed": 8, "max_threads": 1}),
    ):
        assert written(format=format.lower()).data == encoded(PHOTO, format, **options)


def test_a_progressive_jpeg_comes_in_scans() -> None:
    baseline, progressive = written(format="jpeg"), written(format="jpeg", progressive=True)

    assert b"\xff\xc2" not in baseline.data
    assert decoded(progressive.data).info["progressive"]
    assert psnr(decoded(baseline.data), decoded(progressive.data)) > 60


@pytest.mark.parametrize(
    ("chroma", "sampling"), [("420", b"\x22"), ("422", b"\x21"), ("444", b"\x11")]
)
def test_chroma_is_as_fine_as_asked(chroma: str, sampling: bytes) -> None:
    data = written(format="jpeg", chroma=chroma).data

    start = data.index(b"\xff\xc0")
    assert data[start + 11 : start + 12] == sampling
    assert len(written(format="avif", chroma=Chroma.FULL).data) > len(written(format="avif").data)


def test_gray_has_no_chroma_to_spare() -> None:
    gray = encoded(PHOTO.convert("L"), "PNG")

    assert decoded(written(gray, format="jpeg", chroma="422").data).mode == "L"


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


def test_few_colours_stay_exactly_as_they_are() -> None:
    data = encoded(quadrants(), "PNG")

    for format in ("gif", "png"):
        few = decoded(written(data, format=format, palette=4).data)
        assert psnr(few.convert("RGB"), quadrants()) > 90


@pytest.mark.parametrize("alphas", [(0, 255), (0, 90, 255), (255,)])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("format", ["gif", "png"])
def test_few_colours_with_transparency_stay_exactly_as_they_are(
    mode: str, format: str, alphas: tuple[int, ...]
) -> None:
    picture = Image.new("RGBA", (64, 64))
    for at in range(64 * 64):
        shade = at * 7 % 85
        # What is transparent has colours that nobody sees.
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
def test_an_alpha_channel_that_hides_nothing_takes_no_colour(format: str, alpha: int) -> None:
    source = Image.new("RGBA", (16, 16))
    for at in range(256):
        source.putpixel((at % 16, at // 16), (at, 255 - at, at * 7 % 256, alpha))
    few = decoded(written(encoded(source, "PNG"), format=format, palette=256).data)

    shown = few.convert("RGBA")
    assert shown.convert("RGB").tobytes() == source.convert("RGB").tobytes()
    assert few.has_transparency_data == (format == "png" and alpha < 255)


@pytest.mark.parametrize("format", ["gif", "png"])
def test_many_colours_and_a_hole_share_a_table(format: str) -> None:
    source = PHOTO.convert("RGBA")
    source.paste((0, 0, 0, 0), (0, 0, 160, 240))
    few = decoded(written(encoded(source, "PNG"), format=format, palette=256).data)

    assert few.convert("RGBA").getchannel("A").tobytes() == source.getchannel("A").tobytes()
    right = (160, 0, 320, 240)
    assert psnr(few.convert("RGB").crop(right), source.convert("RGB").crop(right)) > 33


@pytest.mark.parametrize("format", [format for format in Format if format.spec.lossless])
def test_lossless_keeps_every_pixel(format: Format) -> None:
    source = PHOTO.convert("RGBA")
    source.putalpha(Image.linear_gradient("L").resize(source.size))
    result = decoded(written(encoded(source, "PNG"), format=format, lossless=True).data)

    assert result.convert("RGBA").tobytes() == source.tobytes()


def test_lossless_is_never_passed_over() -> None:
    jpeg = encoded(PHOTO, "JPEG")

    assert written(jpeg, format="auto", lossless=True).format is Format.PNG
    with pytest.raises(InvalidOperation, match="lossless"):
        written(jpeg, lossless=True)


def test_what_an_open_format_has_no_use_for_is_passed_over() -> None:
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
def test_auto_is_what_every_browser_shows(source: bytes, format: Format) -> None:
    assert written(source, format=AUTO).format is format


def _sign(mode: str = "RGB") -> bytes:
    """Letters on white, or on nothing: few colours, sharp edges."""
    sign = Image.new(mode, (200, 200), "white" if mode == "RGB" else (0, 0, 0, 0))
    ImageDraw.Draw(sign).text((20, 60), "FOR SALE", fill="navy", font_size=36)
    return encoded(sign, "PNG")


@pytest.mark.parametrize("data", [PNG, _sign(), _sign("RGBA")])
@pytest.mark.parametrize(
    "among", [("avif", "webp", "jpeg", "png"), ("avif", "webp"), ("jpeg", "png"), ("avif", "png")]
)
def test_auto_is_the_smallest_of_those_it_may_be(data: bytes, among: tuple[str, ...]) -> None:
    result = written(data, format=AUTO, among=among)
    clear = decoded(data).mode == "RGBA"
    alone = [written(data, format=format) for format in among if not (clear and format == "jpeg")]

    assert result.format in [picture.format for picture in alone]
    assert len(result.data) <= min(len(picture.data) for picture in alone)


def test_auto_writes_few_colours_without_loss_where_that_is_smaller() -> None:
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


def test_auto_spends_a_budget_of_bytes_on_the_newest_and_keeps_what_moves_moving() -> None:
    within = written(format=AUTO, among=("png", "webp", "avif"), max_bytes=4_000)
    assert (within.format, len(within.data) <= 4_000) == (Format.AVIF, True)
    frames = [PHOTO, PHOTO.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    moving = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100)
    film = written(moving, format=AUTO, among=("jpeg", "webp"))
    assert film.format is Format.WEBP
    assert inspected(film.data).frames == 2


ALL = ("avif", "webp", "jpeg", "png")


def _moving() -> dict[tuple[Format, bool], bytes]:
    """What is smallest as an AVIF, as a WebP and as one without loss."""
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


def test_auto_is_the_smallest_of_what_moves() -> None:
    for (format, lossless), data in _moving().items():
        found = written(data, format=AUTO, among=ALL)
        alone = [written(data, format=other) for other in ("avif", "webp")]

        assert found.data == written(data, format=format, lossless=lossless).data
        assert len(found.data) <= min(len(picture.data) for picture in alone)
        assert inspected(found.data).frames == 3


def test_auto_is_the_newest_of_what_moves_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result, "_MAX_CACHED_PIXELS", 2 * 200 * 200)

    for data in _moving().values():
        assert written(data, format=AUTO, among=ALL).format is Format.AVIF


def test_auto_without_loss_is_without_loss() -> None:
    result = written(format=AUTO, among=("avif", "webp", "jpeg", "png"), lossless=True)

    assert psnr(decoded(result.data), PHOTO) == float("inf")


def test_what_is_decided_is_chosen_from_nothing() -> None:
    for fields in ({"format": "png", "among": ["webp"]}, {"format": AUTO, "among": ["gif"]}):
        with pytest.raises(ValidationError, match="among"):
            Output.model_validate(fields)


@pytest.mark.parametrize("format", ["jxl", "heif"])
def test_a_format_that_is_not_installed_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    monkeypatch.setattr(plugins, "INSTALLED", (Format.JPEG, Format.PNG))

    with pytest.raises(InvalidOperation, match=f"format: .* extra {format}"):
        written(format=format)


@pytest.mark.parametrize("format", [Format.HEIF, Format.JXL])
def test_what_is_installed_is_read_as_well(format: Format) -> None:
    data = written(format=format, quality=95).data
    result = decoded(written(data, format="png").data)

    assert psnr(result, PHOTO) > 25
    assert Image.open(io.BytesIO(data)).format == format.upper()


@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize("size", [(16_384, 1), (1, 16_384)])
def test_what_is_long_and_thin_is_written_or_refused_by_name(
    format: Format, size: tuple[int, int]
) -> None:
    data = encoded(Image.new("RGB", size, "teal"), "PNG")

    if format in (Format.WEBP, Format.HEIF):
        with pytest.raises(ImageTooBig, match=r"WebP|HEIF"):
            written(data, format=format)
    else:
        assert written(data, format=format).width == size[0]


def test_transparency_that_is_nowhere_decides_on_no_format() -> None:
    opaque, clear = PHOTO.convert("RGBA"), PHOTO.convert("RGBA")
    clear.paste((0, 0, 0, 0), (0, 0, 40, 40))

    for image, format in ((opaque, "jpeg"), (clear, "png")):
        heif = encoded(image, "HEIF", quality=100)
        assert written(encoded(image, "PNG"), format=AUTO, among=("jpeg", "png")).format == format
        assert written(heif).format == format
    assert decoded(written(encoded(opaque, "PNG")).data).mode == "RGBA", "it stays what it was"


@pytest.mark.parametrize("fields", [{"lossless": True}, {}])
def test_an_animation_whose_frames_become_alike_can_be_opened(fields: dict[str, object]) -> None:
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
