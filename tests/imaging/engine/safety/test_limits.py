"""The default limits accept real images, and refuse those that take too long to decode."""

import pytest
from PIL import Image

from contracts.errors import ImageTooBig
from contracts.formats import Format
from services.imaging.engine.decoding.decode import inspect
from services.imaging.engine.safety.limits import DEFAULT_LIMITS
from tests.imaging.pictures import encoded, png_claiming


@pytest.mark.parametrize(
    ("format", "options"),
    [("PNG", {}), ("WEBP", {"lossless": True, "quality": 0}), ("AVIF", {"speed": 10})],
)
def test_a_white_page_of_24_megapixels_is_accepted(format: str, options: dict[str, int]) -> None:
    data = encoded(Image.new("RGB", (6000, 4000), "white"), format, **options)

    assert inspect(data).width == 6000


@pytest.mark.parametrize("format", ["TIFF", "PNG"])
def test_an_empty_page_of_a_large_document_is_accepted(format: str) -> None:
    options = {"compression": "group4"} if format == "TIFF" else {}
    data = encoded(Image.new("1", (9900, 7000), "white"), format, **options)

    assert inspect(data).width == 9900


@pytest.mark.parametrize(
    ("format", "megapixels", "megabytes"),
    [
        (Format.JPEG, 100, 20),
        (Format.PNG, 100, 150),
        (Format.HEIF, 48, 3),
        (Format.AVIF, 48, 2),
        (Format.JXL, 24, 2),
    ],
)
def test_a_large_photograph_is_accepted(format: Format, megapixels: int, megabytes: int) -> None:
    DEFAULT_LIMITS.check_file(format, "RGB", megapixels * 1_000_000, megabytes * 1_000_000)


@pytest.mark.parametrize(
    ("format", "megapixels", "stored"),
    [
        (Format.WEBP, 51, 10_000_000),
        (Format.AVIF, 96, 1_602),
        (Format.JXL, 26, 10_000_000),
        (Format.PNG, 30, 95_000),
    ],
)
def test_an_image_that_takes_long_to_decode_is_refused(
    format: Format, megapixels: int, stored: int
) -> None:
    with pytest.raises(ImageTooBig):
        DEFAULT_LIMITS.check_file(format, "RGB", megapixels * 1_000_000, stored)


def test_a_side_above_65_535_pixels_is_refused() -> None:
    with pytest.raises(ImageTooBig, match="a side"):
        inspect(png_claiming(1, 65_536))
