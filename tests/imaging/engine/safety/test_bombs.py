"""Files made to hurt: refused or rendered at once, in a process of their own with little memory."""

import multiprocessing
import resource
import struct
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext

import pytest
from PIL import Image

from contracts.errors import ImageUnreadable, ServiceError
from contracts.operations.pipeline import Pipeline
from services.imaging.engine import pipeline
from services.imaging.engine.decoding import decode
from services.imaging.engine.decoding.source import open_source
from services.imaging.engine.inspection import inspect
from services.imaging.engine.safety.limits import DEFAULT_LIMITS
from tests.imaging import forged
from tests.imaging.pictures import encoded, png_claiming

SECONDS = 1.0  # of work, for a render and an inspection together
MEGABYTES = 300  # resident, the libraries' 60 included

REFUSED = {"image_unreadable", "image_too_big", "unsupported_format"}
ANYTHING = REFUSED | {"done"}


_TEXT = b"words\0\0"

BOMBS: dict[str, tuple[set[str], Callable[[], bytes]]] = {
    # A canvas that no one paints.
    "a PNG of 2 billion pixels a side": (REFUSED, lambda: png_claiming(2**31 - 1, 2**31 - 1)),
    "a JPEG of 65,500 a side": (REFUSED, lambda: forged.jpeg_claiming(65_500)),
    "a GIF of 65,535 a side": (
        REFUSED,
        lambda: forged.gif(forged.gif_frame(8, b"\2\x44\1\0"), side=65_535),
    ),
    "a GIF's frame of 65,535 a side": (
        REFUSED,
        lambda: forged.gif(forged.gif_frame(65_535, b"\0"), b";"),
    ),
    "a GIF that grows": (ANYTHING, lambda: forged.grown_gif(13_000)),
    "an APNG that grows": (ANYTHING, lambda: forged.grown_apng(60_000)),
    "a WebP of 16,384 a side": (
        REFUSED,
        lambda: forged.riff(forged.extended(16_384), (b"VP8 ", b"")),
    ),
    "a WebP of 16 million a side": (
        REFUSED,
        lambda: forged.riff(forged.extended(1 << 24), (b"VP8 ", b"")),
    ),
    "a lossless WebP of 16,384 a side": (
        REFUSED,
        lambda: forged.riff((b"VP8L", b"\x2f\xff\xff\xff\x0f" + bytes(40))),
    ),
    "an AVIF of 60,000 a side": (REFUSED, lambda: forged.claiming("AVIF", 60_000, 60_000)),
    "an AVIF of 2 billion a side": (REFUSED, lambda: forged.claiming("AVIF", 2**31, 2**31)),
    "a HEIF of 60,000 a side": (REFUSED, lambda: forged.claiming("HEIF", 60_000, 60_000)),
    "a JXL of a billion a side": (REFUSED, lambda: forged.jxl_claiming(2**30)),
    "a TIFF of a million a side": (REFUSED, lambda: forged.tiff(*forged.tiff_of(10**6, 10**6))),
    "a TIFF of 4 billion a side": (
        REFUSED,
        lambda: forged.tiff(*forged.tiff_of(2**32 - 1, 2**32 - 1)),
    ),
    "a WebP of 98 million pixels in 30 bytes": (REFUSED, lambda: forged.webp_blank(16_383, 6_000)),
    "a JXL of 96 million pixels": (REFUSED, lambda: forged.blank("JXL", 12_000, 8_000, effort=1)),
    "a PNG of 36 million blank pixels": (REFUSED, lambda: forged.blank("PNG", 6_000, 6_000)),
    "a PNG of one by 99 million": (REFUSED, lambda: png_claiming(1, 99_000_000)),
    # Frames.
    "a GIF of 20,000 frames": (
        REFUSED,
        lambda: forged.gif(*[forged.gif_frame(8, b"\2\x44\1\0")] * 20_000, b";"),
    ),
    "an APNG that claims 2 billion frames": (
        ANYTHING,
        lambda: forged.png(forged.chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))),
    ),
    "an APNG of 400 frames before its pixels": (ANYTHING, lambda: forged.still_frames(400)),
    "a WebP of 20,000 frames": (REFUSED, lambda: forged.webp_moving(20_000)),
    "a TIFF of 50,000 directories": (REFUSED, lambda: forged.tiff_chain(50_000)),
    "an MPO of 500 pictures": (
        ANYTHING,
        lambda: encoded(
            Image.new("L", (8, 8)),
            "MPO",
            save_all=True,
            append_images=[Image.new("L", (8, 8))] * 500,
        ),
    ),
    # Chunks and boxes: large ones, many, one in the other.
    "a PNG with a gigabyte of text": (
        ANYTHING,
        lambda: forged.png(forged.chunk(b"zTXt", _TEXT + forged.blown(1000))),
    ),
    "a PNG with 200 texts of a megabyte": (
        ANYTHING,
        lambda: forged.png(*[forged.chunk(b"zTXt", _TEXT + forged.blown(1))] * 200),
    ),
    "a PNG with a gigabyte of profile": (
        ANYTHING,
        lambda: forged.png(forged.chunk(b"iCCP", _TEXT + forged.blown(1000))),
    ),
    "a PNG with 700,000 chunks": (
        REFUSED,
        lambda: forged.png(*[forged.chunk(b"teSt", b"")] * 700_000),
    ),
    "a PNG with a chunk longer than itself": (
        ANYTHING,
        lambda: forged.png(struct.pack(">I", 2**31 - 1) + b"tEXt"),
    ),
    "a PNG with 20 MB of EXIF": (
        ANYTHING,
        lambda: forged.png(forged.chunk(b"eXIf", b"II*\0" + bytes(20 << 20))),
    ),
    "a WebP with 50,000 chunks": (ANYTHING, lambda: forged.webp_with(*[(b"test", b"")] * 50_000)),
    "a WebP with 20 MB of EXIF": (
        ANYTHING,
        lambda: forged.webp_with((b"EXIF", b"II*\0" + bytes(20 << 20)), flags=8),
    ),
    "a WebP with 20 MB of XMP": (
        ANYTHING,
        lambda: forged.webp_with((b"XMP ", b"<" * (20 << 20)), flags=4),
    ),
    "an AVIF with 10,000 boxes in each other": (
        ANYTHING,
        lambda: forged.before_meta(forged.small("AVIF"), forged.nested(b"moov", 10_000)),
    ),
    "a HEIF with 10,000 boxes in each other": (
        ANYTHING,
        lambda: forged.before_meta(forged.small("HEIF"), forged.nested(b"moov", 10_000)),
    ),
    "a HEIF with 10,000 lists in each other": (
        ANYTHING,
        lambda: forged.before_meta(forged.small("HEIF"), forged.nested(b"iprp", 10_000)),
    ),
    "an AVIF with 50,000 boxes": (
        ANYTHING,
        lambda: forged.before_meta(forged.small("AVIF"), forged.box(b"free", b"") * 50_000),
    ),
    "a HEIF with 50,000 boxes": (
        ANYTHING,
        lambda: forged.before_meta(forged.small("HEIF"), forged.box(b"free", b"") * 50_000),
    ),
    "a JXL with 50,000 boxes": (
        ANYTHING,
        lambda: forged.jxl_boxes(*[forged.box(b"test", b"")] * 50_000),
    ),
    "a JXL with 10,000 boxes in each other": (
        ANYTHING,
        lambda: forged.jxl_boxes(forged.nested(b"test", 10_000)),
    ),
    # Headers that lie.
    "a PNG of 9,000 a side with nothing in it": (REFUSED, lambda: png_claiming(9_000, 9_000)),
    "a JPEG of 9,000 a side with 16 in it": (ANYTHING, lambda: forged.jpeg_claiming(9_000)),
    "an AVIF that is larger than it says": (ANYTHING, lambda: forged.larger_than_it_says("AVIF")),
    "a HEIF that is larger than it says": (ANYTHING, lambda: forged.larger_than_it_says("HEIF")),
    "a WebP that is larger than it says": (
        ANYTHING,
        lambda: forged.riff(
            forged.extended(8), *forged.chunks_of(encoded(Image.new("RGB", (3000, 3000)), "WEBP"))
        ),
    ),
    "a TIFF with a strip of 4 GB": (
        ANYTHING,
        lambda: forged.tiff(*forged.tiff_of(8, 8, (273, 4, 1, 8), (279, 4, 1, 2**32 - 1))),
    ),
    "a TIFF with tiles of a billion a side": (
        REFUSED,
        lambda: forged.tiff(
            *forged.tiff_of(
                8, 8, (322, 4, 1, 2**30), (323, 4, 1, 2**30), (324, 4, 1, 8), (325, 4, 1, 99)
            )
        ),
    ),
    # Work.
    "a JPEG of 3,000 scans": (REFUSED, lambda: forged.many_scans(2_000, 3_000)),
    "a plain JPEG of 300 scans": (REFUSED, lambda: forged.many_plain_scans(2_000, 300)),
    "a JPEG with a film of 3,000 scans behind it": (
        {"done"},
        lambda: encoded(Image.new("L", (2_000, 2_000)), "JPEG") + b"\xff\xda" * 3_000,
    ),
    "a small JPEG of 20,000 scans": (ANYTHING, lambda: forged.many_scans(64, 20_000)),
    "a JPEG with a megabyte of fill": (
        REFUSED,
        lambda: forged.jpeg()[:2] + b"\xff" * (1 << 20) + forged.jpeg()[2:],
    ),
    "a JPEG with 50,000 comments": (REFUSED, lambda: forged.jpeg(*[(0xFE, b"")] * 50_000)),
    "a JPEG with 16 MB of profile": (
        ANYTHING,
        lambda: forged.jpeg(
            *((0xE2, b"ICC_PROFILE\0" + bytes([n + 1, 255]) + bytes(65_000)) for n in range(255))
        ),
    ),
    "a JPEG with 60 MB of nothing": (
        REFUSED,
        lambda: forged.jpeg_before(b"\xff\0" + bytes(60 << 20)),
    ),
    "a JPEG with a million comments behind a little": (
        REFUSED,
        lambda: forged.jpeg_before(b"\xff\0\0" + b"\xff\xfe\0\2" * 1_000_000),
    ),
    "a JPEG with a million comments in what has no length": (
        REFUSED,
        lambda: forged.jpeg_before(b"\xff\xf0" + b"\xff\xfe\0\2" * 1_000_000),
    ),
    "a JPEG with 20 MB of tables": (
        REFUSED,
        lambda: forged.jpeg(*[(0xDB, bytes(65 * 1000))] * 320),
    ),
    "a JPEG with 20 MB of frame headers": (
        REFUSED,
        lambda: forged.jpeg(*[(0xC0, b"\10\0\20\0\20\3" + bytes(60_000))] * 330),
    ),
    "a GIF in blocks of one byte": (REFUSED, lambda: forged.gif_bytewise(2_000_000)),
    "a GIF just under the blocks allowed": (ANYTHING, lambda: forged.gif_bytewise(490_000)),
    "a deflated TIFF strip of 500 MB": (
        ANYTHING,
        lambda: forged.strip(8, forged.blown(500), 64, 64),
    ),
    "an LZW TIFF strip of clear codes": (
        ANYTHING,
        lambda: forged.strip(5, b"\x80\x40\x20\x10\x08\x04\x02\x01\x00" * 100_000, 900, 900),
    ),
    "a TIFF of 8 a side in a tile of 16,384": (REFUSED, lambda: forged.one_tile(16_384)),
    "a TIFF of 400,000 strips": (REFUSED, lambda: forged.strips(400_000)),
    # Tags.
    "a WebP that lies as 8 MB say": (
        REFUSED,
        lambda: forged.webp_with((b"EXIF", forged.exif_fractions(8)), flags=8),
    ),
    "a WebP that lies as 2 MB say": (
        REFUSED,
        lambda: forged.webp_with((b"EXIF", forged.exif_fractions(2)), flags=8),
    ),
    "a PNG that lies as 8 MB say": (
        REFUSED,
        lambda: forged.png(forged.chunk(b"eXIf", forged.exif_fractions(8))),
    ),
    "a JPEG that lies as 8 MB say": (REFUSED, lambda: forged.jpeg_exif(forged.exif_fractions(8))),
    "a JPEG as fine as 8 MB say": (
        REFUSED,
        lambda: forged.jpeg_exif(forged.exif_fractions(8, tag=282)),
    ),
    "an AVIF that lies as 3 MB say": (REFUSED, forged.avif_exif),
    "a TIFF that lies as 8 MB say": (REFUSED, lambda: forged.tiff_fractions(274, 5)),
    "a TIFF as fine as 8 MB say": (REFUSED, lambda: forged.tiff_fractions(282, 5)),
    "a TIFF with 4 million kinds of samples": (REFUSED, lambda: forged.tiff_fractions(339, 3)),
    "a BigTIFF with 500,000 tags": (REFUSED, lambda: forged.big_tiff_crowd(500_000)),
    # What goes round and round.
    "a TIFF that follows itself": (
        ANYTHING,
        lambda: forged.tiff(*forged.tiff_of(8, 8), following=8),
    ),
    "a TIFF that is its own EXIF": (
        ANYTHING,
        lambda: forged.tiff(
            *forged.tiff_of(8, 8, (0x8769, 4, 1, 8), (0x14A, 4, 1, 8)), following=8
        ),
    ),
    "a TIFF with tags of 4 billion values": (
        REFUSED,
        lambda: forged.tiff(
            *forged.tiff_of(8, 8, (700, 1, 2**32 - 1, 8), (33_432, 2, 2**32 - 1, 8))
        ),
    ),
    "EXIF that is in itself": (ANYTHING, lambda: forged.jpeg((0xE1, forged.exif_loop(0x8769)))),
    "EXIF whose place is itself": (ANYTHING, lambda: forged.jpeg((0xE1, forged.exif_loop(0x8825)))),
    "EXIF of 5,000 huge values": (ANYTHING, lambda: forged.jpeg((0xE1, forged.exif_crowd(5_000)))),
}

KEEPING = Pipeline.model_validate(
    {
        "operations": [{"op": "resize", "width": 64}],
        "output": {"format": "webp", "metadata": "keep", "icc": "keep"},
    }
)


def detonate(data: bytes, told: Connection) -> None:
    """Render, look at and tell of it: what came out, seconds of work and megabytes."""
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
    outcomes, slowest = [], 0.0
    for attempt in (
        lambda: pipeline.run(data, KEEPING),
        lambda: inspect.inspect_pixels(data, place=True),
    ):
        started = time.process_time()
        try:
            attempt()
            outcomes.append("done")
        except ServiceError as exc:
            outcomes.append(exc.code.value)
        slowest = max(slowest, time.process_time() - started)
    told.send((outcomes, slowest, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


@pytest.fixture(scope="module")
def fresh() -> ForkServerContext:
    # Each process is new, but for what it would import first.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.imaging.engine.safety.test_bombs"])
    return context


@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_goes_off_quietly(name: str, fresh: ForkServerContext) -> None:
    allowed, made = BOMBS[name]
    told, telling = fresh.Pipe(duplex=False)
    process = fresh.Process(target=detonate, args=(made(), telling))
    process.start()
    telling.close()
    try:
        outcomes, seconds, megabytes = told.recv()
    except EOFError:
        process.join()
        pytest.fail(f"The process died of it: exit {process.exitcode}")
    process.join()

    assert set(outcomes) <= allowed
    assert seconds < SECONDS
    assert megabytes < MEGABYTES


def test_a_frame_larger_than_its_image_is_refused_before_it_is_decoded() -> None:
    source = open_source(forged.grown_gif(13_000), DEFAULT_LIMITS)

    with pytest.raises(ImageUnreadable, match="Frame 2 is larger"):
        decode.decode_frame(source, 1)
