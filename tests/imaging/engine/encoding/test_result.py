"""Every encoder setting shows in the bytes of a result."""

import io
from dataclasses import replace

import pytest
from PIL import Image

from contracts.errors import ImageTooBig, InvalidOperation
from contracts.formats import Format
from contracts.operations.pipeline import Pipeline
from contracts.outputs import Chroma, Output
from services.imaging.engine import pipeline
from services.imaging.engine.encoding.encode import ResultTooBig, _LimitedBuffer
from services.imaging.engine.formats import plugins
from services.imaging.engine.pipeline import Rendition
from services.imaging.engine.safety.limits import DEFAULT_LIMITS
from tests.imaging.pictures import decoded, encoded, psnr, quadrants, scenery

PHOTO = scenery(320, 240)
PNG = encoded(PHOTO, "PNG")


def written(data: bytes = PNG, **fields: object) -> Rendition:
    return pipeline.run(data, Pipeline(output=Output.model_validate(fields)))


def test_default_settings_give_the_bytes_that_pillow_gives_for_them() -> None:
    for format, options in (
        ("JPEG", {"quality": 80}),
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


def limited(data: bytes, limit: int, **fields: object) -> Rendition:
    limits = replace(DEFAULT_LIMITS, result_bytes=limit)
    return pipeline.run(data, Pipeline(output=Output.model_validate(fields)), limits)


@pytest.mark.parametrize("format", sorted(plugins.INSTALLED))
def test_a_result_of_more_bytes_than_are_accepted_is_refused(format: Format) -> None:
    size = len(written(format=format.value).data)

    assert len(limited(PNG, size, format=format.value).data) == size
    with pytest.raises(ImageTooBig, match=rf"more than {size - 1:,} bytes.*choose a smaller size"):
        limited(PNG, size - 1, format=format.value)


def test_an_animation_of_more_bytes_than_are_accepted_is_refused() -> None:
    frames = [scenery(120, 90).rotate(angle) for angle in (0, 30, 60)]
    gif = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])

    for format in ("gif", "png", "webp"):
        size = len(written(gif, format=format).data)
        assert len(limited(gif, size, format=format).data) == size
        with pytest.raises(ImageTooBig):
            limited(gif, size - 1, format=format)


def test_of_several_formats_one_that_is_small_enough_is_the_result() -> None:
    """Few colours are tried with and without loss; the attempts that are too large do not count."""
    few = encoded(quadrants(300, 300), "PNG")
    chosen = written(few, format="auto", among=["jpeg", "png", "webp"])

    assert limited(few, len(chosen.data), format="auto", among=["jpeg", "png", "webp"]) is not None
    with pytest.raises(ImageTooBig):
        limited(few, len(chosen.data) - 1, format="auto", among=["jpeg", "png", "webp"])


def test_a_quality_is_searched_for_among_results_that_are_too_large() -> None:
    best = len(written(format="jpeg", quality=100).data)

    searched = limited(PNG, best // 2, format="jpeg", quality=100, max_bytes=10 * best)

    assert 0.8 * best // 2 < len(searched.data) <= best // 2


def test_an_encoder_stops_when_it_has_written_too_much() -> None:
    buffer = _LimitedBuffer(100)

    buffer.write(bytes(100))

    with pytest.raises(ResultTooBig):
        buffer.write(b"1")
    assert len(buffer.getvalue()) == 100
