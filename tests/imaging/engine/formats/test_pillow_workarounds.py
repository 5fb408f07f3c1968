"""Pillow and its plugins still need each workaround.

A test that fails here is good news: delete the workaround that it names, and the test.
"""

import io
import struct
import zlib

import pillow_jxl
import pytest
from PIL import Image
from PIL.ExifTags import Base

from services.imaging.engine.raster.animation import Animation, Frame
from services.imaging.engine.safety import tiff_tags
from tests.imaging import forged_tiff
from tests.imaging.forged import chunk, gif_with_larger_frame
from tests.imaging.forged_animations import SAMPLES, Box, PngFrame, PngKind, apng
from tests.imaging.pictures import RED_IS_BLUE, decoded, encoded, exif_of, pixel, quadrants, same

GREEN, RED = (0, 255, 0, 255), (255, 0, 0, 255)
CLEAR = 2  # a disposal method of GIF


def gif(*frames: bytes, table: bytes = bytes((0, 255, 0, 255, 0, 0))) -> bytes:
    """A GIF of 4 x 4, whose table of two colours begins with green."""
    return b"GIF89a" + struct.pack("<HHBBB", 4, 4, 0x80, 0, 0) + table + b"".join(frames) + b";"


def frame(side: int, disposal: int = 1) -> bytes:
    """A square of the second colour, at the upper left."""
    control = b"!\xf9\4" + struct.pack("<BHBB", disposal << 2, 5, 0, 0)
    # Three bits a code: clear before every pixel, so that codes stay three bits, and the end.
    codes = [code for _ in range(side * side) for code in (4, 1)] + [5]
    bits = sum(code << 3 * number for number, code in enumerate(codes))
    packed = bits.to_bytes((3 * len(codes) + 7) // 8, "little")
    descriptor = b"," + struct.pack("<HHHHB", 0, 0, side, side, 0)
    return control + descriptor + b"\2" + bytes([len(packed)]) + packed + b"\0"


def frames_of(data: bytes) -> list[Image.Image]:
    """Every frame as Pillow shows it, in RGBA."""
    image, found = Image.open(io.BytesIO(data)), []
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        found.append(image.convert("RGBA"))
    return found


def test_frame_canvas_pillow_fills_the_area_that_no_frame_covers() -> None:
    [shown] = frames_of(gif(frame(2)))

    assert pixel(shown, 1, 1) == RED
    assert pixel(shown, 3, 3) == GREEN


def test_frame_canvas_pillow_fills_the_area_that_a_frame_clears() -> None:
    _, second = frames_of(gif(frame(4, CLEAR), frame(1)))

    assert pixel(second, 3, 3) == GREEN


def test_gif_frames_pillow_opens_a_table_of_grays_as_gray() -> None:
    gray = Image.linear_gradient("L")
    data = encoded(gray, "GIF", save_all=True, append_images=[Image.new("RGB", gray.size, "red")])

    assert decoded(data).mode == "L"
    assert pixel(frames_of(data)[1], 3, 200) != RED


SIDE = 4
WHOLE, PART = (0, 0, SIDE, SIDE), (1, 1, 2, 2)


def png_frame(box: Box, colour: tuple[int, ...], dispose: int = 0, blend: int = 1) -> PngFrame:
    return PngFrame(box, [list(colour) * box[2] for _ in range(box[3])], dispose, blend)


def test_frame_canvas_pillow_makes_an_opaque_pixel_translucent() -> None:
    data = apng((SIDE, SIDE), [png_frame(WHOLE, RED), png_frame(PART, (0, 255, 0, 128))])

    assert pixel(frames_of(data)[1], 1, 1)[3] < 255


def test_frame_canvas_pillow_restores_a_frame_that_was_loaded() -> None:
    frames = [png_frame(WHOLE, GREEN), png_frame(PART, RED, 2), png_frame((0, 0, 1, 1), GREEN)]

    assert pixel(frames_of(apng((SIDE, SIDE), frames))[2], 1, 1) != GREEN


def test_frame_canvas_pillow_shows_the_default_image_below_the_frames() -> None:
    poster = png_frame(WHOLE, RED).rows
    data = apng((SIDE, SIDE), [png_frame(PART, GREEN)] * 2, poster=poster)

    assert pixel(frames_of(data)[1], 0, 0) == RED


@pytest.mark.parametrize(
    "kind", [PngKind(interlaced=True), PngKind(0, 16)], ids=["interlaced", "gray of 16 bits"]
)
def test_frame_canvas_pillow_cannot_read_parts(kind: PngKind) -> None:
    samples = (0,) * SAMPLES[kind.colour_type]
    frames = [png_frame(box, samples) for box in ((0, 0, 24, 18), (3, 2, 11, 9))]

    with pytest.raises((OSError, ValueError, TypeError)):
        frames_of(apng((24, 18), frames, kind))


def test_gif_frames_pillow_misses_a_loop_count_behind_the_first_frame() -> None:
    loop = b"!\xff\x0bNETSCAPE2.0\3\1\2\0\0"
    image = decoded(gif(frame(4), loop, frame(2)))
    image.seek(1)

    assert "loop" not in image.info


def test_gif_writer_pillow_writes_transparent_frames_with_colours() -> None:
    bars = Image.new("RGBA", (20, 20), "black")
    bars.paste((0, 0, 0, 0), (0, 5, 20, 15))
    frames = [Image.new("RGBA", (20, 20), "lime"), bars, bars.transpose(Image.Transpose.ROTATE_90)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], disposal=CLEAR)

    assert not all(same(*pair) for pair in zip(frames_of(data), frames, strict=True))


def test_apng_pillow_draws_frames_more_than_once() -> None:
    drawn = list[int]()

    def draw(number: int) -> Frame:
        drawn.append(number)
        return Frame(Image.new("RGB", (32, 32), (number * 40, 0, 0)), 100)

    encoded(Animation(draw, 5, 0), "PNG", save_all=True)

    assert len(drawn) > 5


def test_avif_pillow_neither_reads_nor_writes_a_loop_count() -> None:
    frames = [quadrants(16, 16), quadrants(16, 16).rotate(90)]
    moving = {"save_all": True, "append_images": frames[1:], "duration": 100}
    once, thrice = (encoded(frames[0], "AVIF", loop=loop, **moving) for loop in (1, 3))

    assert "loop" not in decoded(once).info
    assert once.partition(b"edts")[2][:60] == thrice.partition(b"edts")[2][:60]


def test_avif_libavif_writes_the_time() -> None:
    data = encoded(quadrants(16, 16), "AVIF", save_all=True, append_images=[quadrants(16, 16)])
    at = data.index(b"mvhd") + 8

    assert any(data[at : at + 16])


def png(depth: int, colour_type: int, row: bytes, transparent: bytes) -> bytes:
    """A PNG of two pixels, with a transparent colour."""
    header = struct.pack(">IIBBBBB", 2, 1, depth, colour_type, 0, 0, 0)
    chunks = (
        chunk(b"IHDR", header),
        chunk(b"tRNS", transparent),
        chunk(b"IDAT", zlib.compress(b"\0" + row)),
        chunk(b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


KEY, NEAR = 0x1234, 0x1200


@pytest.mark.parametrize(
    "data",
    [
        png(4, 0, b"\x7f", struct.pack(">H", 7)),
        png(16, 0, struct.pack(">HH", KEY, NEAR), struct.pack(">H", KEY)),
        png(16, 2, struct.pack(">6H", *[KEY] * 3, *[NEAR] * 3), struct.pack(">3H", *[KEY] * 3)),
    ],
    ids=["gray of 4 bits", "gray of 16 bits", "colour of 16 bits"],
)
def test_png_transparency_pillow_misses_the_transparent_pixel(data: bytes) -> None:
    alpha = frames_of(data)[0].getchannel("A")

    assert (pixel(alpha, 0, 0), pixel(alpha, 1, 0)) != ((0,), (255,))


@pytest.mark.parametrize("format", ["JPEG", "AVIF"])
def test_safety_pillow_parses_exif_while_it_opens_a_file(
    monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    exif = exif_of(6)
    exif[Base.Software] = "camera"
    data, parsed = encoded(quadrants(16, 16), format, exif=exif), list[bytes]()
    monkeypatch.setattr(tiff_tags, "check_exif", parsed.append)

    Image.open(io.BytesIO(data))
    assert any(b"camera" in found for found in parsed)


def test_jxl_the_plugin_decodes_every_pixel_to_open_a_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = encoded(quadrants(16, 16), "JXL")
    monkeypatch.delattr(pillow_jxl.JpegXLImagePlugin, "Decoder")

    with pytest.raises(NameError, match="Decoder"):
        Image.open(io.BytesIO(data))


def test_result_the_jxl_plugin_writes_no_profile() -> None:
    data = encoded(quadrants(16, 16), "JXL", icc_profile=RED_IS_BLUE)

    assert decoded(data).info.get("icc_profile") != RED_IS_BLUE


def test_webp_alpha_libwebp_flags_no_alpha_where_only_the_canvas_is_transparent() -> None:
    frames = [Image.new("RGBA", (64, 64)) for _ in range(2)]
    for image, colour in zip(frames, ("red", "blue"), strict=True):
        image.paste(colour, (8, 8, 40, 40))
    data = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)

    assert data[12:16] == b"VP8X"
    assert not data[20] & 0x10


def test_webp_pillow_keeps_the_decoder_of_a_still() -> None:
    image = decoded(encoded(quadrants(16, 16), "WEBP"))
    image.load()

    assert vars(image)["_decoder"]


def test_frame_canvas_pillow_enlarges_a_gif_for_a_frame_that_reaches_outside() -> None:
    image = Image.open(io.BytesIO(gif_with_larger_frame(20)))
    image.seek(1)

    assert image.size == (20, 20)


def test_source_pillow_takes_the_orientation_from_xmp() -> None:
    packet = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" tiff:Orientation="6"/>'
    image = decoded(encoded(quadrants(16, 16), "WEBP", xmp=packet))

    assert image.getexif()[Base.Orientation] == 6


def test_source_pillow_decodes_a_png_to_look_for_exif() -> None:
    image = Image.open(io.BytesIO(encoded(quadrants(16, 16), "PNG")))
    assert image.tile
    image.getexif()

    assert not image.tile


def test_exif_text_pillow_reads_utf_8_as_latin_1_and_writes_question_marks() -> None:
    def copyright_of(text: str) -> str:
        exif = Image.Exif()
        exif[Base.Copyright] = text
        return str(decoded(encoded(quadrants(16, 16), "JPEG", exif=exif)).getexif()[Base.Copyright])

    assert copyright_of("\u00e9") != "\u00e9"


def test_bit_depth_pillow_reads_unsigned_samples_as_signed() -> None:
    # A TIFF of one white pixel of 32 bits.
    depth, sample, strip = (258, 3, 1, 32), (339, 3, 1, 1), ((273, 4, 1, 200), (279, 4, 1, 4))
    entries = [entry for entry in forged_tiff.gray(1, 1, sample, *strip) if entry[0] != 258]
    whole = forged_tiff.tiff(depth, *entries)
    image = decoded(whole + bytes(200 - len(whole)) + b"\xff" * 4)

    assert image.getpixel((0, 0)) == -1


def test_run_animation_pillow_draws_gray_frames_of_an_avif_twice() -> None:
    drawn = {"L": list[int](), "RGB": list[int]()}

    def encode_in(mode: str) -> None:
        def draw(number: int) -> Frame:
            drawn[mode].append(number)
            return Frame(Image.new(mode, (16, 16), 40 * number), 100)

        encoded(Animation(draw, 4, 0), "AVIF", save_all=True)

    for mode in drawn:
        encode_in(mode)
    assert len(drawn["L"]) > len(drawn["RGB"])
