"""Files that make work: repeated scans and blocks, bytes shared by many parts, long tags, loops."""

from PIL import Image

from tests.imaging import forged, forged_tiff
from tests.imaging.engine.safety.bombs import shared_bytes
from tests.imaging.engine.safety.bombs.bomb import ANY, DONE, REFUSED, Bomb
from tests.imaging.pictures import encoded

REPEATED_WORK: dict[str, Bomb] = {
    "a progressive JPEG of 3,000 scans": (REFUSED, lambda: forged.progressive_scans(2_000, 3_000)),
    "a sequential JPEG of 300 scans": (REFUSED, lambda: forged.sequential_scans(2_000, 300)),
    "a JPEG followed by the markers of 3,000 scans": (
        DONE,
        lambda: encoded(Image.new("L", (2_000, 2_000)), "JPEG") + b"\xff\xda" * 3_000,
    ),
    "a small JPEG of 20,000 scans": (ANY, lambda: forged.progressive_scans(64, 20_000)),
    "a JPEG with a megabyte of fill bytes": (
        REFUSED,
        lambda: forged.jpeg_with(b"\xff" * (1 << 20)),
    ),
    "a JPEG with 50,000 comments": (REFUSED, lambda: forged.jpeg(*[(0xFE, b"")] * 50_000)),
    "a JPEG with 16 MB of profile": (
        ANY,
        lambda: forged.jpeg(
            *((0xE2, b"ICC_PROFILE\0" + bytes([n + 1, 255]) + bytes(65_000)) for n in range(255))
        ),
    ),
    "a JPEG with 60 MB of EXIF in 9,000 pieces": (
        ANY,
        lambda: forged.jpeg(*[(0xE1, b"Exif\0\0" + bytes(6_600))] * 9_000),
    ),
    "a JPEG with 5 million blocks of Photoshop": (
        ANY,
        lambda: forged.jpeg(*[(0xED, b"Photoshop 3.0\0" + (b"8BIM" + bytes(8)) * 5_400)] * 950),
    ),
    "a JPEG with 60 MB of zeros between segments": (
        REFUSED,
        lambda: forged.jpeg_with(b"\xff\0" + bytes(60 << 20)),
    ),
    "a JPEG with a million comments after stuffed bytes": (
        REFUSED,
        lambda: forged.jpeg_with(b"\xff\0\0" + b"\xff\xfe\0\2" * 1_000_000),
    ),
    "a JPEG with a million comments after a marker without a length": (
        REFUSED,
        lambda: forged.jpeg_with(b"\xff\xf0" + b"\xff\xfe\0\2" * 1_000_000),
    ),
    "a JPEG with 20 MB of tables": (
        REFUSED,
        lambda: forged.jpeg(*[(0xDB, bytes(65 * 1000))] * 320),
    ),
    "a JPEG with 20 MB of frame headers": (
        REFUSED,
        lambda: forged.jpeg(*[(0xC0, b"\10\0\20\0\20\3" + bytes(60_000))] * 330),
    ),
    "a GIF of 2,000,000 blocks": (REFUSED, lambda: forged.gif_of_tiny_blocks(2_000_000)),
    "a GIF of almost as many blocks as allowed": (
        ANY,
        lambda: forged.gif_of_tiny_blocks(490_000),
    ),
    "a deflated TIFF strip of 500 MB": (
        ANY,
        lambda: forged_tiff.of_one_strip(8, forged.deflated_zeros(500), 64, 64),
    ),
    "an LZW TIFF strip of clear codes": (
        ANY,
        lambda: forged_tiff.of_one_strip(
            5, b"\x80\x40\x20\x10\x08\x04\x02\x01\x00" * 100_000, 900, 900
        ),
    ),
    "a TIFF of 24 million floating-point zeros": (
        DONE,
        lambda: forged_tiff.of_floats(4_000, 2_000),
    ),
    "a TIFF of 27 million floating-point zeros": (
        REFUSED,
        lambda: forged_tiff.of_floats(4_500, 2_000),
    ),
    "a TIFF of 8 a side in a tile of 16,384": (REFUSED, lambda: forged_tiff.of_one_tile(16_384)),
    "a TIFF of 400,000 strips": (REFUSED, lambda: forged_tiff.of_many_strips(400_000)),
}

SHARED_BYTES: dict[str, Bomb] = {
    "a profile of 20,000 stages": (DONE, lambda: shared_bytes.png_with_float_stages(20_000)),
    "a PNG with 1,000 XMP packets that are too long": (
        DONE,
        lambda: shared_bytes.png_with_broken_packets(1_000),
    ),
    "an APNG of 400 frames with a palette of 20 MB": (
        DONE,
        lambda: shared_bytes.apng_with_long_head(b"PLTE", 400),
    ),
    "an APNG of 400 frames with a header of 20 MB": (
        REFUSED,
        lambda: shared_bytes.apng_with_long_head(b"IHDR", 400),
    ),
    "a TIFF whose 10,000 strips are one megabyte": (
        REFUSED,
        lambda: shared_bytes.tiff_of_one_strip_for_each_row(10_000),
    ),
    "a TIFF of 3,000 pixels in tiles that are 10,000 high": (
        REFUSED,
        lambda: shared_bytes.tiff_of_tall_tiles(3_000, 10_000),
    ),
}

TAGS: dict[str, Bomb] = {
    "a WebP whose orientation is 8 MB of fractions": (
        DONE,
        lambda: forged.webp_with((b"EXIF", forged_tiff.exif_of_fractions(8)), flags=8),
    ),
    "a WebP whose orientation is 2 MB of fractions": (
        DONE,
        lambda: forged.webp_with((b"EXIF", forged_tiff.exif_of_fractions(2)), flags=8),
    ),
    "a PNG whose orientation is 8 MB of fractions": (
        DONE,
        lambda: forged.png(forged.chunk(b"eXIf", forged_tiff.exif_of_fractions(8))),
    ),
    "a JPEG whose orientation is 8 MB of fractions": (
        DONE,
        lambda: forged_tiff.jpeg_with_exif(forged_tiff.exif_of_fractions(8)),
    ),
    "a JPEG whose resolution is 8 MB of fractions": (
        DONE,
        lambda: forged_tiff.jpeg_with_exif(forged_tiff.exif_of_fractions(8, tag=282)),
    ),
    "an AVIF whose orientation is 3 MB of fractions": (DONE, forged_tiff.avif_with_fractions),
    "a TIFF whose orientation is 8 MB of fractions": (
        REFUSED,
        lambda: forged_tiff.with_long_tag(274, 5),
    ),
    "a TIFF whose resolution is 8 MB of fractions": (
        REFUSED,
        lambda: forged_tiff.with_long_tag(282, 5),
    ),
    "a TIFF with 4 million sample formats": (REFUSED, lambda: forged_tiff.with_long_tag(339, 3)),
    "a BigTIFF with 500,000 tags": (
        REFUSED,
        lambda: forged_tiff.big_tiff_with_many_tags(500_000),
    ),
    "a TIFF with tags of 4 billion values": (
        REFUSED,
        lambda: forged_tiff.tiff(
            *forged_tiff.gray(8, 8, (700, 1, 2**32 - 1, 8), (33_432, 2, 2**32 - 1, 8))
        ),
    ),
    "EXIF of 5,000 huge values": (
        ANY,
        lambda: forged.jpeg((0xE1, forged_tiff.exif_with_many_tags(5_000))),
    ),
}

LOOPS: dict[str, Bomb] = {
    "a TIFF whose next directory is its first": (
        ANY,
        lambda: forged_tiff.tiff(*forged_tiff.gray(8, 8), following=8),
    ),
    "a TIFF whose EXIF directory is its first": (
        ANY,
        lambda: forged_tiff.tiff(
            *forged_tiff.gray(8, 8, (0x8769, 4, 1, 8), (0x14A, 4, 1, 8)), following=8
        ),
    ),
    "EXIF within itself": (
        ANY,
        lambda: forged.jpeg((0xE1, forged_tiff.exif_within_itself(0x8769))),
    ),
    "EXIF whose GPS directory is itself": (
        ANY,
        lambda: forged.jpeg((0xE1, forged_tiff.exif_within_itself(0x8825))),
    ),
}
