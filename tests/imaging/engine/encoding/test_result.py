"""Every encoder setting shows in the bytes of a result."""

import io

import pytest
from PIL import Image

from contracts.errors import ImageTooBig, InvalidOperation
from contracts.formats import Format
from contracts.operations.pipeline import Pipeline
from contracts.outputs import Chroma, Output
from services.imaging.engine import pipeline
from services.imaging.engine.formats import plugins
from services.imaging.engine.pipeline import Rendition
from tests.imaging.pictures import decoded, encoded, psnr, scenery

PHOTO = scenery(320, 240)
PNG = encoded(PHOTO, "PNG")


def written(data: bytes = PNG, **fields: object) -> Rendition:
    return pipeline.run(data, Pipeline(output=Output.model_validate(fields)))


def test_default_settings_give_the_bytes_that_pillow_gives_for_them() -> None:
    for format, options in (
        ("JPEG", {"quality": 80}),
        ("PNG", {"compress_level": 3}),
        ("WEBP", {"quality": 80, "method": 2}),
        ("AVIF", {"quality": 80, "speed": 8, "max_threads": 1}),
    ):
        assert written(format=format.lower()).data == encoded(PHOTO, format, **options)


def test_a_progressive_jpeg_has_several_scans() -> None:
    baseline, progressive = written(format="jpeg"), written(format="jpeg", progressive=True)

    assert b"\xff\xc2" not in baseline.data
    assert decoded(progressive.data).info["progressive"]
    assert psnr(decoded(baseline.data), decoded(progressive.data)) > 60


@pytest.mark.parametrize(
    ("chroma", "sampling"), [("420", b"\x22"), ("422", b"\x21"), ("444", b"\x11")]
)
def test_a_jpeg_has_the_chroma_subsampling_asked_for(chroma: str, sampling: bytes) -> None:
    data = written(format="jpeg", chroma=chroma).data

    start = data.index(b"\xff\xc0")
    assert data[start + 11 : start + 12] == sampling
    assert len(written(format="avif", chroma=Chroma.FULL).data) > len(written(format="avif").data)


def test_a_gray_jpeg_ignores_chroma() -> None:
    gray = encoded(PHOTO.convert("L"), "PNG")

    assert decoded(written(gray, format="jpeg", chroma="422").data).mode == "L"


@pytest.mark.parametrize("format", [format for format in Format if format.spec.lossless])
def test_lossless_keeps_every_pixel(format: Format) -> None:
    source = PHOTO.convert("RGBA")
    if format.spec.alpha:
        source.putalpha(Image.linear_gradient("L").resize(source.size))
    result = decoded(written(encoded(source, "PNG"), format=format, lossless=True).data)

    assert result.convert("RGBA").tobytes() == source.tobytes()


@pytest.mark.parametrize("format", ["jxl", "heif"])
def test_a_format_that_is_not_installed_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    monkeypatch.setattr(plugins, "INSTALLED", (Format.JPEG, Format.PNG))

    with pytest.raises(InvalidOperation, match=f"format: .* extra {format}"):
        written(format=format)


@pytest.mark.parametrize("format", [Format.HEIF, Format.JXL])
def test_a_plugin_format_that_is_written_is_read(format: Format) -> None:
    data = written(format=format, quality=95).data
    result = decoded(written(data, format="png").data)

    assert psnr(result, PHOTO) > 25
    assert Image.open(io.BytesIO(data)).format == format.upper()


@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize("size", [(16_384, 1), (1, 16_384)])
def test_a_long_thin_image_is_written_or_refused_with_a_named_error(
    format: Format, size: tuple[int, int]
) -> None:
    data = encoded(Image.new("RGB", size, "teal"), "PNG")

    if format in (Format.WEBP, Format.HEIF):
        with pytest.raises(ImageTooBig, match=r"WebP|HEIF"):
            written(data, format=format)
    else:
        assert written(data, format=format).width == size[0]
