"""A PNG or a JPEG whose pixels are whole is shown, although other parts of it are broken."""

import re
import struct
import zlib

import pytest
from PIL import Image

from bench.exact.pictures import odd_jpeg, odd_png
from contracts.errors import ImageUnreadable, UnsupportedFormat
from contracts.operations.pipeline import Pipeline
from services.imaging.engine import pipeline
from services.imaging.engine.decoding import decode
from services.imaging.engine.inspection.inspect import inspect_pixels
from services.imaging.engine.safety import container_checks
from tests.imaging.pictures import decoded, encoded, pixels_of, quadrants, same

PNGS = dict(odd_png.stills())
JPEGS = dict(odd_jpeg.stills())
PLAIN_PNG, PLAIN_JPEG = PNGS["png colour 2 depth 8"], JPEGS["jpeg with a comment of no bytes"]

UNDAMAGED = "png [a-zA-Z]{4}( twice)?"
OTHER_PIXELS = "png turned by eXIf|png without half of the pixels|.* of its header"
KEEP = Pipeline.model_validate({"output": {"format": "png", "metadata": "keep", "icc": "keep"}})


def test_broken_chunks_do_not_change_the_picture() -> None:
    expected = pixels_of(PLAIN_PNG)
    seen = 0
    for name, data in PNGS.items():
        if re.fullmatch(f"png colour .*|{UNDAMAGED}|{OTHER_PIXELS}", name):
            continue
        seen += 1
        assert same(pixels_of(data), expected), name
        assert inspect_pixels(data, place=True).orientation == 1, name
        pipeline.run(data, KEEP)
    assert seen > 150


def test_a_png_without_half_of_its_pixels_is_unreadable() -> None:
    with pytest.raises(ImageUnreadable):
        pixels_of(PNGS["png without half of the pixels"])


def test_a_png_of_indexed_colours_without_a_palette_is_unreadable() -> None:
    whole = PNGS["png colour 3 depth 8 tRNS"]
    with pytest.raises(ImageUnreadable, match="no palette"):
        pixels_of(whole.replace(b"PLTE", b"pLTE"))


def test_a_png_is_turned_by_its_exif_and_not_by_a_text() -> None:
    assert decode.inspect(PNGS["png turned by eXIf"]).orientation == 6
    for way in ("in zTXt", "in tEXt"):
        assert decode.inspect(PNGS[f"png raw profile type exif, {way}"]).orientation == 1


@pytest.mark.parametrize(
    "frames",
    [
        [(b"fdAT", 0)],
        [(b"fcTL", 0), (b"fdAT", 1), (b"fcTL", 2), (b"fdAT", 4)],
        [(b"fcTL", 0), (b"fdAT", 1), (b"fcTL", 2), (b"fdAT", 4), (b"fdAT", 3)],
        [(b"fcTL", 0), (b"fdAT", 1), (b"fcTL", 2), (b"fdAT", 2)],
        [(b"fcTL", 1), (b"fdAT", 2), (b"fcTL", 3), (b"fdAT", 4)],
    ],
)
def test_frames_out_of_sequence_leave_the_default_image(frames: list[tuple[bytes, int]]) -> None:
    control = struct.pack(">5I2H2B", 0, 16, 16, 0, 0, 1, 10, 0, 0)[4:]
    pixels = zlib.compress(bytes(16 * 49))
    bodies = {b"fcTL": control, b"fdAT": pixels}
    chunks = [(name, struct.pack(">I", number) + bodies[name]) for name, number in frames]
    header, rest = PLAIN_PNG[8:33], PLAIN_PNG[33:-12]
    data = odd_png.file_of(header, (b"acTL", struct.pack(">II", 2, 0)), rest, *chunks)

    assert same(pixels_of(data), pixels_of(PLAIN_PNG))
    assert decode.inspect(data).frames == 1


def test_a_whole_file_is_not_copied() -> None:
    for format in ("PNG", "JPEG", "TIFF"):
        data = encoded(quadrants(), format)
        assert container_checks.clean(data) is data


def test_the_packet_of_a_png_is_kept_without_its_other_texts() -> None:
    packet = (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta/>")
    header, pixels = (PLAIN_PNG[at : at + size] for at, size in ((8, 25), (33, 10_000)))
    data = odd_png.file_of(header, (b"tEXt", b"Title\0words"), packet, packet, pixels)
    result = decoded(pipeline.run(data, KEEP).data)

    assert result.info["xmp"] == b"<x:xmpmeta/>"
    assert "Title" not in result.info


def test_an_animation_whose_control_is_broken_is_its_still_image() -> None:
    frames = [Image.new("L", (8, 8), shade) for shade in (10, 90)]
    whole = encoded(frames[0], "PNG", save_all=True, append_images=frames[1:])
    at = whole.index(b"acTL")
    broken = whole[: at + 4] + struct.pack(">I", 9) + whole[at + 8 :]

    assert decode.inspect(whole).frames == 2
    assert decode.inspect(broken).frames == 1
    assert same(pixels_of(broken), frames[0])


def test_broken_segments_do_not_change_the_picture() -> None:
    expected = pixels_of(PLAIN_JPEG)
    turned = expected.transpose(Image.Transpose.ROTATE_270)
    seen = 0
    for name, data in JPEGS.items():
        if re.fullmatch("jpeg with (?!restarts|.*segment|other|a comment of length).*", name):
            seen += 1
            orientation = inspect_pixels(data, place=True).orientation
            assert same(pixels_of(data), turned if orientation == 6 else expected), name
            pipeline.run(data, KEEP)
    assert seen > 60


@pytest.mark.parametrize(
    ("exif", "orientation"),
    [
        ("that turns", 6),
        ("with 18,761 tags", 6),
        ("with 65,535 tags", 6),
        ("with 4 billion values", 6),
        ("with an inner directory past the end", 6),
        ("with places inside that are text", 6),
        ("of a wrong byte order", 1),
        ("that ends within its directory", 1),
        ("with an orientation of 9", 1),
        ("with an orientation in text", 1),
        ("twice its prefix", 1),
    ],
)
def test_the_orientation_is_read_from_broken_exif(exif: str, orientation: int) -> None:
    assert decode.inspect(JPEGS[f"jpeg with EXIF {exif}"]).orientation == orientation


@pytest.mark.parametrize(
    ("name", "detail"),
    [
        ("jpeg of 12 bits", "12 bits a sample"),
        ("jpeg of 5 components", "5 components"),
        ("jpeg of the process C5", "hierarchical"),
        ("jpeg of the process CB", "arithmetic coding"),
    ],
)
def test_a_jpeg_that_is_not_read_is_named(name: str, detail: str) -> None:
    with pytest.raises(UnsupportedFormat, match=detail):
        decode.inspect(JPEGS[name])


def test_a_jpeg_ls_is_named() -> None:
    with pytest.raises(UnsupportedFormat, match="JPEG-LS"):
        decode.inspect(b"\xff\xd8\xff\xf7\0\x0b\x08\0\1\0\1\1\1\x11\0")
