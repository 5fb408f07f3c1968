"""The size and mode of a JPEG XL are read without decoding a pixel."""

import pillow_jxl
import pytest
from PIL import Image

from contracts.errors import ImageTooBig, ImageUnreadable
from services.imaging.engine.decoding.decode import inspect
from services.imaging.engine.decoding.source import open_source
from services.imaging.engine.formats import jxl
from services.imaging.engine.safety.limits import Limits
from tests.imaging.pictures import decoded, encoded, quadrants


@pytest.mark.parametrize(
    "size",
    [
        (8, 8),
        (256, 256),
        (64, 48),
        (1, 1),
        (513, 300),
        (1920, 1080),
        (9, 4000),
        (20, 10),
        (7000, 3),
    ],
)
@pytest.mark.parametrize("boxes", [False, True])
def test_the_size_is_read_from_the_header(size: tuple[int, int], boxes: bool) -> None:
    data = encoded(Image.new("L", size, 90), "JXL", use_container=boxes, effort=1)

    assert jxl.header(data).size == size


def test_an_image_that_is_too_large_is_refused_by_its_header() -> None:
    # 2^30 rows and columns, and no pixels.
    claim = b"\xff\x0a" + (0b0_11 << 1 | ((1 << 30) - 1) << 3 | 1 << 33).to_bytes(8, "little")

    assert jxl.header(claim).size == (1 << 30, 1 << 30)
    with pytest.raises(ImageTooBig):
        open_source(claim, Limits())


@pytest.mark.parametrize(
    "data", [b"", b"\0\0\0\x0cJXL \r\n\x87\n", b"\0\0\0\x0cJXL \r\n\x87\n" + b"\0" * 400]
)
def test_boxes_without_an_image_are_unreadable(data: bytes) -> None:
    with pytest.raises(ImageUnreadable):
        jxl.header(data)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16", "F"])
@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"use_original_profile": True}])
def test_the_mode_is_that_of_the_decoder(mode: str, options: dict[str, bool]) -> None:
    data = encoded(Image.new(mode, (20, 12)), "JXL", effort=1, **options)

    assert jxl.header(data).mode == decoded(data).mode


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_is_upright(orientation: int) -> None:
    data = _oriented(encoded(quadrants(80, 61), "JXL", effort=1), orientation)

    assert jxl.header(data).size == decoded(data).size == ((80, 61), (61, 80))[orientation >= 5]


def test_inspecting_a_header_decodes_no_pixel(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(quadrants(), "JXL")
    monkeypatch.delattr(pillow_jxl.JpegXLImagePlugin, "Decoder")

    assert inspect(data).model_dump(exclude_defaults=True) == {
        "format": "jxl", "media_type": "image/jxl", "mode": "RGB", "width": 80, "height": 60
    }  # fmt: skip


def _oriented(data: bytes, orientation: int) -> bytes:
    """The same file with another orientation, for which the default header is written out."""
    size, header, rest = 26, 4, 6  # bits of the size; its bytes; where the rest begins
    bits = int.from_bytes(data[2 : 2 + header], "little") & ((1 << size) - 1)
    # Not the default, extra fields, the orientation, and none of three other fields; 8 bits, which
    # suffice for all; no extra channels; the default colours, tone mapping and extensions.
    fields = ((0b10, 2), (orientation - 1, 3), (0, 3), (0, 3), (1, 1), (0, 2), (0b111, 3), (0, 2))
    for value, count in (*fields, (1, 1)):
        bits |= value << size
        size += count
    return data[:2] + bits.to_bytes((size + 7) // 8, "little") + data[rest:]
