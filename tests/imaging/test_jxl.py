"""A JPEG XL is measured before it is opened."""

import pytest
from PIL import Image

from contracts.errors import ImageTooBig, ImageUnreadable
from services.imaging import jxl
from services.imaging.limits import Limits
from services.imaging.source import open_source
from tests.imaging.pictures import encoded


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
def test_its_size_is_read_from_its_first_bits(size: tuple[int, int], boxes: bool) -> None:
    data = encoded(Image.new("L", size, 90), "JXL", use_container=boxes, effort=1)

    assert jxl.size(data) == size


def test_one_that_is_too_large_is_never_opened() -> None:
    """2^30 rows and columns, and nothing behind them."""
    claim = b"\xff\x0a" + (0b0_11 << 1 | ((1 << 30) - 1) << 3 | 1 << 33).to_bytes(8, "little")

    assert jxl.size(claim) == (1 << 30, 1 << 30)
    with pytest.raises(ImageTooBig):
        open_source(claim, Limits())


@pytest.mark.parametrize(
    "data", [b"", b"\0\0\0\x0cJXL \r\n\x87\n", b"\0\0\0\x0cJXL \r\n\x87\n" + b"\0" * 400]
)
def test_boxes_without_an_image_are_unreadable(data: bytes) -> None:
    with pytest.raises(ImageUnreadable):
        jxl.size(data)
