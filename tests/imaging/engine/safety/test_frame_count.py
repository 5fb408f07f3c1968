"""Frames are counted without reading any of them."""

import time
from typing import Any

import pytest
from PIL import Image

from contracts.errors import ImageTooBig, ImageUnreadable
from services.imaging.engine.decoding.decode import inspect
from services.imaging.engine.safety import frame_count
from tests.imaging.pictures import encoded

GIF_HEAD = b"GIF89a\x01\x00\x01\x00\x00\x00\x00"
GIF_FRAME = b",\0\0\0\0\1\0\1\0\0\2\2L\1\0"
CLASSIC_DIRECTORY = 2 + 12 + 4


def tiff_of_many_directories() -> bytes:
    """A TIFF of 100,000 directories, each with the offset of the next."""
    directories = (
        b"\1\0" + b"\0" * 12 + (8 + (number + 1) * CLASSIC_DIRECTORY).to_bytes(4, "little")
        for number in range(100_000)
    )
    return b"II*\0\x08\0\0\0" + b"".join(directories)


@pytest.mark.parametrize(
    "bomb",
    [
        GIF_HEAD + GIF_FRAME * 200_000,
        GIF_HEAD + b"!\xfe" + b"\1a" * 3_000_000,
        GIF_HEAD + b"\0" * 3_000_000,
        tiff_of_many_directories(),
    ],
    ids=["gif frames", "gif comment", "gif terminators", "tiff directories"],
)
def test_a_crafted_file_is_refused_within_two_seconds(bomb: bytes) -> None:
    started = time.process_time()
    with pytest.raises((ImageTooBig, ImageUnreadable)):
        inspect(bomb)

    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    "options", [{"format": "GIF"}, {"format": "TIFF"}, {"format": "TIFF", "big_tiff": True}]
)
def test_counting_stops_one_frame_past_the_limit(options: dict[str, Any]) -> None:
    pictures = [Image.new("L", (8, 8), shade * 8) for shade in range(30)]
    data = encoded(pictures[0], save_all=True, append_images=pictures[1:], **options)

    assert frame_count.count_frames(data, most=100) == 30
    assert frame_count.count_frames(data, most=10) == 11
