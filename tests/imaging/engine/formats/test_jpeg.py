"""A JPEG opened by its segments, beside the same one opened by Pillow."""

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from bench.exact.pictures import odd_jpeg
from contracts.errors import UnsupportedFormat
from contracts.formats import format_of_bytes
from services.imaging.engine.formats.jpeg import Jpeg
from services.imaging.engine.safety import jpeg_segments
from services.imaging.engine.safety.decode_errors import ignore_decode_errors
from services.imaging.engine.safety.tiff_tags import MAX_EXIF
from tests.imaging.pictures import encoded, quadrants, scenery

_METADATA = ("exif", "icc_profile", "xmp", "photoshop", "adobe")

_LONG_PROFILE = b"\0" * 36 + b"acsp" + b"\0" * 90_000

_SCAN = b"\xff\xda"


def _with_junk(data: bytes) -> bytes:
    """Return a JPEG with zeros and a fill byte after its first segment, which has 18 bytes."""
    return data[:20] + b"\0\0\xff" + data[20:]


_FILES: dict[str, bytes] = {
    **dict(odd_jpeg.stills()),
    "gray": encoded(quadrants().convert("L"), "JPEG"),
    "CMYK": encoded(quadrants().convert("CMYK"), "JPEG"),
    "progressive": encoded(scenery(), "JPEG", progressive=True),
    "a profile of two segments": encoded(scenery(), "JPEG", icc_profile=_LONG_PROFILE),
    "an XMP packet": encoded(scenery(), "JPEG", xmp=b"<x:xmpmeta/>"),
    "junk and fill bytes between segments": _with_junk(encoded(scenery(), "JPEG")),
}


# Without the one that is not announced as a JPEG: Pillow itself opens that.
_JPEGS = [name for name, data in _FILES.items() if format_of_bytes(data) is not None]
# Codings that no decoder here reads, by the ends of the names.
_CODINGS = "of (2|12|16) bits|process (C5|C6|C7|CB|CD|CE|CF)|[025] components"
_REFUSED = [name for name in _JPEGS if re.search(f"({_CODINGS})$", name)]


def _found(opening: Callable[[], Image.Image]) -> list[Any] | None:
    """Return what a file has, up to its pixels; None if it is refused."""
    with ignore_decode_errors():
        image = opening()
        metadata = [image.info.get(key) for key in _METADATA]
        return [image.size, image.mode, *metadata, image.tobytes()]
    return None


@pytest.mark.parametrize("name", [name for name in _JPEGS if name not in _REFUSED])
def test_pillow_finds_the_same_picture_and_metadata(name: str) -> None:
    # Without the segments that Pillow refuses a picture for.
    data = jpeg_segments.read(_FILES[name]).data

    by_pillow = _found(lambda: Image.open(io.BytesIO(data), formats=["JPEG"]))
    assert _found(lambda: Jpeg.of(data)) == by_pillow


@pytest.mark.parametrize("name", _REFUSED)
def test_other_codings_are_refused_by_name(name: str) -> None:
    with pytest.raises(UnsupportedFormat, match=r"hierarchical|lossless|bits a sample|components"):
        jpeg_segments.read(_FILES[name])


@pytest.mark.parametrize("scale", [1, 2, 4, 8])
def test_a_draft_has_the_pixels_of_pillows(scale: int) -> None:
    data = encoded(scenery(), "JPEG")
    size = tuple(side // scale for side in scenery().size)
    drafts: list[Any] = [Jpeg.of(data), Image.open(io.BytesIO(data))]
    boxes = [draft.draft("RGB", size) for draft in drafts]

    assert boxes[0] == boxes[1]
    assert drafts[0].tobytes() == drafts[1].tobytes()


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.99])
def test_a_file_that_is_cut_off_has_no_pixels(kept: float) -> None:
    data = encoded(scenery(), "JPEG")
    cut = Jpeg.of(data[: int(len(data) * kept)])

    with pytest.raises(OSError, match="cut off"):
        cut.load()


def test_a_segment_that_is_cut_off_is_no_picture() -> None:
    data = encoded(scenery(), "JPEG")

    with pytest.raises(OSError, match="cut off"):
        Jpeg.of(data[: data.index(b"\xff\xc4") + 10])


@pytest.mark.parametrize(
    ("marker", "beginning"), [(b"\xff\xe1", b"Exif\0\0"), (b"\xff\xed", b"Photoshop 3.0\0")]
)
def test_of_long_metadata_no_more_is_read_than_counts(marker: bytes, beginning: bytes) -> None:
    plain = encoded(scenery(), "JPEG")
    content = beginning + bytes(60_000)
    segment = marker + (len(content) + 2).to_bytes(2, "big") + content
    jpeg = Jpeg.of(plain[:2] + segment * 100 + plain[2:])

    taken = sum(len(data) for _, data in jpeg.applist if data.startswith(beginning))
    assert MAX_EXIF < taken <= MAX_EXIF + len(content)
    assert jpeg.tobytes() == Jpeg.of(plain).tobytes()


def test_only_one_scan_of_all_components_counts_as_one() -> None:
    baseline = encoded(scenery(), "JPEG")
    scan = baseline.index(_SCAN)
    one_component = baseline[: scan + 4] + b"\1" + baseline[scan + 5 :]
    junk = baseline[:scan] + b"\0" + baseline[scan:]
    found = {
        "baseline": baseline,
        "gray": _FILES["gray"],
        "progressive": _FILES["progressive"],
        "a scan of one component": one_component,
        "junk before the scan": junk,
        "no scan": baseline[:scan],
    }

    ones = [name for name, data in found.items() if jpeg_segments.read(data).has_one_scan]
    assert ones == ["baseline", "gray"]
