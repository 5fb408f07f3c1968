"""Sizes from the first bytes of images that Pillow has written, and of files that say nothing."""

import random
import struct
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from services.gateway.access.limits.header import HEAD, size_of

SIZE = 300, 200
PICTURE = Image.radial_gradient("L").resize(SIZE).convert("RGB")


def written(format: str, **options: Any) -> bytes:
    file = BytesIO()
    PICTURE.save(file, format, **options)
    return file.getvalue()


def frames() -> dict[str, Any]:
    return {"save_all": True, "append_images": [PICTURE.rotate(90)]}


STILLS = {
    "jpeg": written("JPEG"),
    "jpeg with a long header": written("JPEG", exif=b"Exif\0\0" + bytes(50_000)),
    "png": written("PNG"),
    "webp": written("WEBP"),
    "lossless webp": written("WEBP", lossless=True),
    "webp with metadata": written("WEBP", exif=b"Exif\0\0II*\0"),
    "tiff": written("TIFF"),
}
ANIMATIONS = {
    "gif": written("GIF"),
    "apng": written("PNG", **frames()),
    "animated webp": written("WEBP", **frames()),
    # The first bytes do not say whether it is animated.
    "avif": written("AVIF"),
    "avif sequence": written("AVIF", **frames()),
}


@pytest.mark.parametrize("kind", STILLS)
def test_the_header_of_a_still_image_says_its_size(kind: str) -> None:
    assert size_of(STILLS[kind][:HEAD]) == SIZE


@pytest.mark.parametrize("kind", ANIMATIONS)
def test_the_header_of_what_may_be_animated_says_nothing(kind: str) -> None:
    assert size_of(ANIMATIONS[kind][:HEAD]) is None


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\xff\xd8\xff",
        b"<svg width='10' height='10'>",  # a format that the library reads, and Darkroom not
        b"\xff\xd8" + b"\xff\xe0\0\2" * 16_000,
        b"II*\0\x08\0\0\0\xff\xff" + bytes(65_000),
        STILLS["png"][:16] + struct.pack(">LL", 0, 7) + STILLS["png"][24:],
        STILLS["png"][:16] + struct.pack(">LL", 2**31, 7) + STILLS["png"][24:],
        STILLS["jpeg with a long header"][:40_000],
    ],
    ids=["empty", "cut", "svg", "segments", "entries", "no width", "too wide", "long header, cut"],
)
def test_a_header_that_says_nothing_useful_is_none(head: bytes) -> None:
    assert size_of(head) is None


@pytest.mark.parametrize("kind", STILLS)
def test_damaged_headers_give_a_size_or_nothing(kind: str) -> None:
    chance = random.Random(kind)
    for _ in range(100):
        head = bytearray(STILLS[kind][:HEAD])
        for _ in range(chance.randint(1, 10)):
            head[chance.randrange(min(600, len(head)))] = chance.randrange(256)
        size = size_of(bytes(head))
        assert size is None or min(size) > 0
