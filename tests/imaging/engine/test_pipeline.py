"""Whole pipelines: a rendition has the size, format and pixels that its pipeline asks for."""

import pytest
from PIL import Image

from contracts.errors import ImageTooBig, InvalidOperation, NotFound
from contracts.formats import Format
from contracts.operations.choices import Filter, Fit, Gravity
from contracts.operations.looks import Adjust, Blur, Grayscale, Sharpen
from contracts.operations.overlays import Position, Watermark
from contracts.operations.pipeline import Operation, Pipeline
from contracts.operations.shapes import Crop, Flip, Resize, Rotate
from contracts.outputs import Output
from services.imaging.engine import pipeline
from services.imaging.engine.decoding import decode
from services.imaging.engine.decoding.source import Source, open_source
from services.imaging.engine.operations import dispatch
from services.imaging.engine.pipeline import Rendition
from services.imaging.engine.run_still import DecodeCache
from services.imaging.engine.safety.limits import Limits
from tests.imaging.pictures import (
    RED_IS_BLUE,
    SRGB,
    decoded,
    encoded,
    pixel,
    psnr,
    quadrants,
    scenery,
)

PNG = Output(format=Format.PNG)


def rendered(data: bytes, *steps: Operation, output: Output = PNG) -> Rendition:
    return pipeline.run(data, Pipeline(operations=steps, output=output))


def in_order(data: bytes, *steps: Operation) -> Image.Image:
    """Decode every pixel, and apply every operation to all of them."""
    image = decode.decode(open_source(data, Limits())).image
    for step in steps:
        image = dispatch.apply(image, step)
    return image


def count_decodes(monkeypatch: pytest.MonkeyPatch) -> list[decode.Draft]:
    """Return a list that gets the draft of each decoding from now on."""
    drafts: list[decode.Draft] = []
    plain = decode.decode

    def counted(source: Source, draft: decode.Draft) -> decode.Decoded:
        drafts.append(draft)
        return plain(source, draft)

    monkeypatch.setattr(decode, "decode", counted)
    return drafts


@pytest.mark.parametrize("format", Format)
def test_each_format_is_written_on_request(format: Format) -> None:
    picture = rendered(encoded(quadrants(), "PNG"), output=Output(format=format))

    assert picture.format is format
    assert picture.media_type == f"image/{format}"
    assert decoded(picture.data).format == format.upper()
    assert decoded(picture.data).size == (picture.width, picture.height) == (80, 60)


@pytest.mark.parametrize(
    ("source", "format"),
    [
        ("JPEG", Format.JPEG),
        ("PNG", Format.PNG),
        ("WEBP", Format.WEBP),
        ("AVIF", Format.AVIF),
        ("GIF", Format.PNG),
        ("TIFF", Format.PNG),
        ("HEIF", Format.JPEG),
        ("JXL", Format.JPEG),
    ],
)
def test_a_result_has_its_sources_format_by_default(source: str, format: Format) -> None:
    assert rendered(encoded(quadrants(), source), output=Output()).format is format


@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize("source", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_metadata_is_stripped_by_default(source: str, format: Format) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a secret place"
    options = {"comment": b"a secret place"} if source == "JPEG" else {}
    data = encoded(
        quadrants(), source, exif=exif, icc_profile=SRGB, xmp=b"<x>a secret place</x>", **options
    )
    picture = rendered(data, output=Output(format=format))
    result = decoded(picture.data)

    assert b"secret" in data
    assert b"secret" not in picture.data
    assert not {0x0112, 0x010E} & set(result.getexif()), "other tags are those of a TIFF itself"
    left = {name for name, value in result.info.items() if value}
    # The JPEG XL decoder adds a profile to every image.
    profile = set() if format is Format.JXL else {"icc_profile"}
    assert not {"exif", "xmp", "comment", *profile} & left


def test_a_still_of_an_animation_is_its_first_frame() -> None:
    frames = [Image.new("RGB", (20, 20), (shade, 0, 0)) for shade in (250, 120, 10)]
    for source in ("GIF", "PNG", "WEBP", "AVIF"):
        data = encoded(frames[0], source, save_all=True, append_images=frames[1:])
        for format in Format:
            result = decoded(rendered(data, output=Output(format=format, animated=False)).data)
            assert pixel(result.convert("RGB"), 10, 10)[0] > 200
            assert getattr(result, "n_frames", 1) == 1


@pytest.mark.parametrize("format", Format)
def test_the_same_pipeline_gives_the_same_bytes(format: Format) -> None:
    data = encoded(scenery(300, 200), "JPEG")
    steps = (Resize(width=90, height=90), Sharpen(), Rotate(degrees=10))
    one, other = (rendered(data, *steps, output=Output(format=format)) for _ in range(2))

    assert one.data == other.data


@pytest.mark.parametrize("orientation", [1, 3, 6, 7])
@pytest.mark.parametrize(
    ("filter", "decibels"),
    [
        (Filter.BILINEAR, 40.0),
        (Filter.HAMMING, 35.7),
        (Filter.BICUBIC, 38.3),
        (Filter.LANCZOS, 37.6),
    ],
)
@pytest.mark.parametrize(
    "steps",
    [
        # The widest results that drafts of an eighth, a quarter and a half serve.
        (Resize(width=75),),
        (Resize(width=150),),
        (Resize(width=267),),
        (Resize(width=133),),
        (Resize(width=199, height=90),),
        (Resize(width=90, height=120, fit=Fit.FILL),),
        (Resize(width=150, height=150, fit=Fit.CONTAIN), Flip()),
        (Grayscale(), Resize(height=77)),
        (Resize(width=64, height=64), Adjust(brightness=0.9), Grayscale()),
    ],
)
def test_a_draft_is_as_good_as_every_pixel(
    orientation: int, steps: tuple[Operation, ...], filter: Filter, decibels: float
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(scenery(), "JPEG", quality=92, exif=exif)
    filtered = [
        step.model_copy(update={"filter": filter}) if isinstance(step, Resize) else step
        for step in steps
    ]
    result = decoded(rendered(data, *filtered).data)

    assert psnr(result, in_order(data, *filtered)) > decibels


@pytest.mark.parametrize(
    ("width", "scale"), [(534, 1), (533, 2), (301, 2), (300, 4), (151, 4), (150, 8), (10, 8)]
)
def test_a_draft_has_enough_pixels_for_the_resize(
    width: int, scale: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = encoded(Image.new("L", (1600, 1600)), "JPEG")
    drafts = count_decodes(monkeypatch)
    rendered(data, Resize(width=width))

    assert drafts == [decode.Draft(size=(1600 // scale,) * 2 if scale > 1 else None)]


@pytest.mark.parametrize(
    "steps",
    [
        (Grayscale(),),
        (Rotate(degrees=30), Grayscale()),
        (Blur(radius=2), Grayscale(), Sharpen()),
        (Adjust(saturation=4), Grayscale()),
        (Sharpen(amount=3), Grayscale()),
        (Crop(left=10, top=20, width=200, height=100), Resize(width=50), Grayscale()),
    ],
)
@pytest.mark.parametrize("mode", ["RGB", "CMYK", "L"])
@pytest.mark.parametrize("profile", [b"", SRGB, RED_IS_BLUE], ids=["plain", "srgb", "other"])
def test_decoding_luma_alone_gives_the_gray_of_the_colours(
    steps: tuple[Operation, ...], mode: str, profile: bytes
) -> None:
    data = encoded(scenery(400, 300).convert(mode), "JPEG", quality=92, icc_profile=profile)
    result = decoded(rendered(data, *steps).data)

    assert result.mode == "L"
    assert psnr(result, in_order(data, *steps)) > 40


@pytest.mark.parametrize(
    "smart",
    [
        Crop(width=100, height=100, gravity=Gravity.SMART),
        Resize(width=100, height=100, gravity=Gravity.SMART),
    ],
)
def test_smart_gravity_sees_colours_before_a_grayscale(smart: Operation) -> None:
    luma = Image.linear_gradient("L").rotate(90).resize((400, 100)).point(lambda v: 60 + v // 2)
    blue, red = Image.new("L", luma.size, 128), Image.new("L", luma.size, 128)
    red.paste(208, (10, 20, 60, 80))
    data = encoded(Image.merge("YCbCr", (luma, blue, red)), "JPEG", quality=95)
    result = decoded(rendered(data, smart, Grayscale()).data)

    assert result.mode == "L"
    assert psnr(result, luma.crop((0, 0, 100, 100))) > 30


def test_a_source_beyond_the_result_limits_has_to_be_made_smaller() -> None:
    data = encoded(Image.new("L", (16_500, 10)), "PNG")

    with pytest.raises(ImageTooBig):
        rendered(data)
    assert rendered(data, Crop(left=0, top=0, width=50, height=5)).width == 50


def test_pipelines_that_need_the_same_draft_decode_once(monkeypatch: pytest.MonkeyPatch) -> None:
    decodes = count_decodes(monkeypatch)
    data = encoded(scenery(1200, 800), "JPEG")
    decode_cache: DecodeCache = {}
    for format in Format:
        small = Pipeline(operations=(Resize(width=100),), output=Output(format=format))
        pipeline.run(data, small, decode_cache=decode_cache)
    assert len(decodes) == 1
    pipeline.run(data, Pipeline(operations=(Grayscale(),)), decode_cache=decode_cache)
    assert len(decodes) == 2, "luma alone is another draft"
    for width in (90, 95, 110):
        like = Pipeline(operations=(Resize(width=width),))
        pipeline.run(data, like, decode_cache=decode_cache)
    assert len(decodes) == 2, "a draft of an eighth serves all of these"


def test_a_watermark_is_decoded_and_laid_over_the_source() -> None:
    overlay = encoded(Image.new("RGB", (10, 10), (0, 0, 255)), "JPEG", quality=95)
    key = "b" * 64
    asked = Pipeline(operations=(Watermark(image=key, position=Position.TOP_LEFT),), output=PNG)
    source = encoded(Image.new("RGB", (40, 30), (255, 0, 0)), "PNG")
    result = decoded(pipeline.run(source, asked, images={key: overlay}).data)

    assert pixel(result, 30, 20) == (255, 0, 0)
    assert pixel(result, 5, 5)[2] > 240
    with pytest.raises(NotFound):
        pipeline.run(source, asked)


@pytest.mark.parametrize("overlay", [b"nonsense", encoded(quadrants(), "QOI")])
def test_an_unreadable_watermark_is_an_invalid_operation(overlay: bytes) -> None:
    """ImageUnreadable would blame the source."""
    key = "b" * 64
    asked = Pipeline(operations=(Watermark(image=key),))

    with pytest.raises(InvalidOperation, match=key):
        pipeline.run(encoded(quadrants(), "PNG"), asked, images={key: overlay})


def test_watermarks_count_with_the_source_before_any_is_decoded() -> None:
    keys = ["b" * 64, "c" * 64]
    asked = Pipeline(operations=tuple(Watermark(image=key) for key in keys))
    source, overlay = (encoded(Image.new("L", size), "PNG") for size in ((100, 100), (50, 100)))
    images = dict.fromkeys(keys, overlay)
    with pytest.raises(ImageTooBig, match="watermarks have 20,000 pixels together"):
        pipeline.run(source, asked, Limits(total_pixels=19_999), images=images)
    assert pipeline.run(source, asked, Limits(total_pixels=20_000), images=images).width == 100


def test_a_watermark_has_the_same_limits_as_a_source() -> None:
    key = "b" * 64
    large = encoded(Image.new("L", (200, 200)), "PNG")
    asked = Pipeline(operations=(Watermark(image=key),))
    source = encoded(quadrants(), "PNG")

    with pytest.raises(ImageTooBig):
        pipeline.run(source, asked, Limits(frame_pixels=10_000), images={key: large})
