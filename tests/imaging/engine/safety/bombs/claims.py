"""Files that claim too much: sides, frames, chunks and boxes, and headers that are false."""

import struct

from PIL import Image

from tests.imaging import forged, forged_avif, forged_tiff
from tests.imaging.engine.safety.bombs.bomb import ANY, DONE, REFUSED, Bomb
from tests.imaging.pictures import encoded, png_claiming

_TEXT = b"words\0\0"


def _square_of_3000(format: str) -> bytes:
    return encoded(Image.new("RGB", (3000, 3000)), format)


SIZES: dict[str, Bomb] = {
    "a PNG of 2 billion pixels a side": (REFUSED, lambda: png_claiming(2**31 - 1, 2**31 - 1)),
    "a JPEG of 65,500 a side": (REFUSED, lambda: forged.jpeg_claiming(65_500)),
    "a GIF of 65,535 a side": (
        REFUSED,
        lambda: forged.gif(forged.gif_frame(8, b"\2\x44\1\0"), side=65_535),
    ),
    "a GIF with a frame of 65,535 a side": (
        REFUSED,
        lambda: forged.gif(forged.gif_frame(65_535, b"\0"), b";"),
    ),
    "a GIF with a larger second frame": (ANY, lambda: forged.gif_with_larger_frame(13_000)),
    "an APNG with a larger second frame": (ANY, lambda: forged.apng_with_larger_frame(60_000)),
    "a WebP of 16,384 a side": (
        REFUSED,
        lambda: forged.riff(forged.vp8x(16_384), (b"VP8 ", b"")),
    ),
    "a WebP of 16 million a side": (
        REFUSED,
        lambda: forged.riff(forged.vp8x(1 << 24), (b"VP8 ", b"")),
    ),
    "a lossless WebP of 16,384 a side": (
        REFUSED,
        lambda: forged.riff((b"VP8L", b"\x2f\xff\xff\xff\x0f" + bytes(40))),
    ),
    "an AVIF of 60,000 a side": (
        REFUSED,
        lambda: forged.with_claimed_size(forged.small("AVIF"), 60_000, 60_000),
    ),
    "an AVIF of 2 billion a side": (
        REFUSED,
        lambda: forged.with_claimed_size(forged.small("AVIF"), 2**31, 2**31),
    ),
    "a HEIF of 60,000 a side": (
        REFUSED,
        lambda: forged.with_claimed_size(forged.small("HEIF"), 60_000, 60_000),
    ),
    "a JXL of a billion a side": (REFUSED, lambda: forged.jxl_claiming(2**30)),
    "a TIFF of a million a side": (
        REFUSED,
        lambda: forged_tiff.tiff(*forged_tiff.gray(10**6, 10**6)),
    ),
    "a TIFF of 4 billion a side": (
        REFUSED,
        lambda: forged_tiff.tiff(*forged_tiff.gray(2**32 - 1, 2**32 - 1)),
    ),
    "a WebP of 98 million pixels in 30 bytes": (
        REFUSED,
        lambda: forged.webp_of_one_colour(16_383, 6_000),
    ),
    "a white JXL of 96 million pixels": (
        REFUSED,
        lambda: forged.white("JXL", 12_000, 8_000, effort=1),
    ),
    "a white PNG of 36 million pixels": (REFUSED, lambda: forged.white("PNG", 6_000, 6_000)),
    "a PNG of one by 99 million": (REFUSED, lambda: png_claiming(1, 99_000_000)),
}

FRAMES: dict[str, Bomb] = {
    "a GIF of 20,000 frames": (
        REFUSED,
        lambda: forged.gif(*[forged.gif_frame(8, b"\2\x44\1\0")] * 20_000, b";"),
    ),
    "an APNG that claims 2 billion frames": (
        ANY,
        lambda: forged.png(forged.chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))),
    ),
    "an APNG of 400 frames before its pixels": (
        ANY,
        lambda: forged.apng_without_frame_data(400),
    ),
    "a WebP of 20,000 frames": (REFUSED, lambda: forged.webp_animation(20_000)),
    "a TIFF of 50,000 directories": (REFUSED, lambda: forged_tiff.of_many_directories(50_000)),
    "an MPO of 500 images": (
        ANY,
        lambda: encoded(
            Image.new("L", (8, 8)),
            "MPO",
            save_all=True,
            append_images=[Image.new("L", (8, 8))] * 500,
        ),
    ),
}

CHUNKS_AND_BOXES: dict[str, Bomb] = {
    "a PNG with a gigabyte of text": (
        DONE,
        lambda: forged.png(forged.chunk(b"zTXt", _TEXT + forged.deflated_zeros(1000))),
    ),
    "a PNG with 200 texts of a megabyte": (
        DONE,
        lambda: forged.png(*[forged.chunk(b"zTXt", _TEXT + forged.deflated_zeros(1))] * 200),
    ),
    "a PNG with a gigabyte of profile": (
        DONE,
        lambda: forged.png(forged.chunk(b"iCCP", _TEXT + forged.deflated_zeros(1000))),
    ),
    "a PNG with 700,000 chunks": (
        REFUSED,
        lambda: forged.png(*[forged.chunk(b"teSt", b"")] * 700_000),
    ),
    "a PNG with a chunk longer than the file": (
        ANY,
        lambda: forged.png(struct.pack(">I", 2**31 - 1) + b"tEXt"),
    ),
    "a PNG with 20 MB of EXIF": (
        DONE,
        lambda: forged.png(forged.chunk(b"eXIf", b"II*\0" + bytes(20 << 20))),
    ),
    "a WebP with 50,000 chunks": (ANY, lambda: forged.webp_with(*[(b"test", b"")] * 50_000)),
    "a WebP with 20 MB of EXIF": (
        ANY,
        lambda: forged.webp_with((b"EXIF", b"II*\0" + bytes(20 << 20)), flags=8),
    ),
    "a WebP with 20 MB of XMP": (
        ANY,
        lambda: forged.webp_with((b"XMP ", b"<" * (20 << 20)), flags=4),
    ),
    "an AVIF with 10,000 nested boxes": (
        ANY,
        lambda: forged.with_boxes(forged.small("AVIF"), forged.nested_boxes(b"moov", 10_000)),
    ),
    "a HEIF with 10,000 nested boxes": (
        ANY,
        lambda: forged.with_boxes(forged.small("HEIF"), forged.nested_boxes(b"moov", 10_000)),
    ),
    "a HEIF with 10,000 nested lists": (
        ANY,
        lambda: forged.with_boxes(forged.small("HEIF"), forged.nested_boxes(b"iprp", 10_000)),
    ),
    "an AVIF with 50,000 boxes": (
        ANY,
        lambda: forged.with_boxes(forged.small("AVIF"), forged.box(b"free", b"") * 50_000),
    ),
    "a HEIF with 50,000 boxes": (
        ANY,
        lambda: forged.with_boxes(forged.small("HEIF"), forged.box(b"free", b"") * 50_000),
    ),
    "a JXL with 50,000 boxes": (
        ANY,
        lambda: forged.jxl_with_boxes(*[forged.box(b"test", b"")] * 50_000),
    ),
    "a JXL with 10,000 nested boxes": (
        ANY,
        lambda: forged.jxl_with_boxes(forged.nested_boxes(b"test", 10_000)),
    ),
}

FALSE_HEADERS: dict[str, Bomb] = {
    "a PNG of 9,000 a side without pixels": (REFUSED, lambda: png_claiming(9_000, 9_000)),
    "a JPEG that claims 9,000 a side and has 16": (ANY, lambda: forged.jpeg_claiming(9_000)),
    "an AVIF that claims 16 a side and has 3,000": (
        REFUSED,
        lambda: forged.with_claimed_size(_square_of_3000("AVIF"), 16, 16),
    ),
    "an AVIF that claims 64 a side and has 8,000": (
        REFUSED,
        lambda: forged_avif.claiming(forged_avif.blank(8_000, 8_000), 64, 64),
    ),
    "a HEIF that claims 16 a side and has 3,000": (
        ANY,
        lambda: forged.with_claimed_size(_square_of_3000("HEIF"), 16, 16),
    ),
    "a WebP that claims 8 a side and has 3,000": (
        ANY,
        lambda: forged.riff(forged.vp8x(8), *forged.webp_chunks(_square_of_3000("WEBP"))),
    ),
    "a TIFF with a strip of 4 GB": (
        ANY,
        lambda: forged_tiff.tiff(*forged_tiff.gray(8, 8, (273, 4, 1, 8), (279, 4, 1, 2**32 - 1))),
    ),
    "a TIFF with tiles of a billion a side": (
        REFUSED,
        lambda: forged_tiff.tiff(
            *forged_tiff.gray(
                8, 8, (322, 4, 1, 2**30), (323, 4, 1, 2**30), (324, 4, 1, 8), (325, 4, 1, 99)
            )
        ),
    ),
}
