"""The values of a TIFF's directories and of EXIF are counted as Pillow would read them."""

import struct

import pytest

from contracts.errors import ImageTooBig
from services.imaging.engine.decoding.decode import inspect
from services.imaging.engine.safety import tiff_tags
from tests.imaging.pictures import encoded, exif_of, quadrants

_HEAD = b"II*\0" + struct.pack("<I", 8)


def directory(*entries: tuple[int, int, int, int]) -> bytes:
    """A TIFF of one directory at offset 8; each entry is tag, field type, count and value."""
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return _HEAD + struct.pack("<H", len(entries)) + body + bytes(4)


def test_the_values_of_an_inner_directory_count() -> None:
    outer = directory((0x8769, 4, 1, 26))
    inner = directory((0x920A, 5, 30_000, 60))[8:]
    whole = outer + inner

    tiff_tags.check_exif(whole)
    with pytest.raises(ImageTooBig, match="fractions"):
        tiff_tags.check_exif(whole + bytes(8 * 30_000 + 60))


def test_a_directory_within_itself_is_checked_once() -> None:
    tiff_tags.check_exif(directory((0x8769, 4, 1, 8), (0x8825, 4, 1, 8)))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_the_exif_of_cameras_is_accepted(format: str) -> None:
    exif = exif_of(6)
    exif[0x010F] = "Camera"
    exif[0x011A] = 72.0
    exif.get_ifd(0x8769)[0x927C] = bytes(200_000 if format != "JPEG" else 60_000)
    exif.get_ifd(0x8825)[2] = (51.0, 30.0, 12.5)

    assert inspect(encoded(quadrants(), format, exif=exif)).orientation == 6


def test_values_past_the_end_of_the_file_do_not_count() -> None:
    data = encoded(quadrants(), "PNG", exif=directory((0x9999, 5, 2**31, 2**31)))

    assert inspect(data).width == 80


def test_exif_above_4_megabytes_is_refused() -> None:
    with pytest.raises(ImageTooBig, match="EXIF has"):
        tiff_tags.check_exif(_HEAD + bytes(5 << 20))
