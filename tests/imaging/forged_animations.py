"""Animations built byte by byte: PNG (W3C, third edition), GIF89a and WebP (RFC 9649)."""

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from PIL import Image

from tests.imaging.forged import chunk, riff, webp_chunks
from tests.imaging.pictures import encoded

Box = tuple[int, int, int, int]
"""Left, upper, width and height."""

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Samples of a pixel, by the colour type of a PNG."""

PASSES = (
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
    *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
)
"""Left, upper, and the distance between columns and between rows of each pass (PNG, 8.1)."""


@dataclass(frozen=True)
class PngFrame:
    """A frame of an APNG; its rows hold samples, each from 0 to the largest of the depth."""

    box: Box
    rows: list[list[int]]
    dispose: int = 0
    blend: int = 0
    delay: tuple[int, int] = (1, 10)
    parts: int = 1  # fdAT chunks


@dataclass(frozen=True)
class PngKind:
    """Header of an APNG: colour type, depth and interlacing."""

    colour_type: int = 6
    depth: int = 8
    interlaced: bool = False
    before_pixels: bytes = b""  # further chunks

    def header(self, width: int, height: int) -> bytes:
        """The IHDR chunk."""
        kinds = (self.depth, self.colour_type, 0, 0, self.interlaced)
        return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, *kinds))

    def pixels(self, rows: list[list[int]]) -> bytes:
        """The compressed data of one image, without filters."""
        count = SAMPLES[self.colour_type]
        if not self.interlaced:
            return zlib.compress(b"".join(map(self._row, rows)))
        packed = b""
        for left, upper, across, down in PASSES:
            for row in rows[upper::down]:
                starts = range(left * count, len(row), across * count)
                samples = [row[at + n] for at in starts for n in range(count)]
                packed += self._row(samples) if samples else b""
        return zlib.compress(packed)

    def _row(self, samples: list[int]) -> bytes:
        if self.depth == 16:
            return b"\0" + struct.pack(f">{len(samples)}H", *samples)
        bits = "".join(f"{sample:0{self.depth}b}" for sample in samples)
        bits += "0" * (-len(bits) % 8)
        return b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big")


def apng(
    size: tuple[int, int],
    frames: Iterable[PngFrame],
    kind: PngKind = PngKind(),
    *,
    plays: int = 0,
    poster: list[list[int]] | None = None,
    claimed: int | None = None,
) -> bytes:
    """An APNG; `poster` has the rows of a default image that is no frame."""
    frames = list(frames)
    control = chunk(b"acTL", struct.pack(">II", claimed or len(frames), plays))
    parts = [PNG_SIGNATURE, kind.header(*size), control, kind.before_pixels]
    sequence = 0
    if poster is not None:
        parts.append(chunk(b"IDAT", kind.pixels(poster)))
    for number, frame in enumerate(frames):
        left, upper, width, height = frame.box
        fields = (sequence, width, height, left, upper, *frame.delay, frame.dispose, frame.blend)
        parts.append(chunk(b"fcTL", struct.pack(">IIIIIHHBB", *fields)))
        sequence += 1
        data = kind.pixels(frame.rows)
        step = -(-len(data) // frame.parts)
        for at in range(0, len(data), step):
            piece = data[at : at + step]
            if number == 0 and poster is None:
                parts.append(chunk(b"IDAT", piece))
            else:
                parts.append(chunk(b"fdAT", struct.pack(">I", sequence) + piece))
                sequence += 1
    return b"".join((*parts, chunk(b"IEND", b"")))


@dataclass(frozen=True)
class GifFrame:
    """A frame of a GIF; its rows hold indices."""

    box: Box
    rows: list[list[int]]
    disposal: int = 1
    transparent: int | None = None
    delay: int = 5  # hundredths of a second
    table: bytes = b""
    interlaced: bool = False
    controlled: bool = True  # by a graphic control extension


def gif(
    size: tuple[int, int],
    frames: Iterable[GifFrame],
    table: bytes = b"",
    *,
    before: bytes = b"",
    background: int = 0,
    end: bytes = b";",
) -> bytes:
    """A GIF; `before` is put before its first frame. Tables have 2, 4, 8 ... 256 colours."""
    screen = struct.pack("<HHBBB", *size, _table_flags(table), background, 0)
    return b"GIF89a" + screen + table + before + b"".join(map(gif_frame, frames)) + end


def gif_loop(count: int, name: bytes = b"NETSCAPE2.0") -> bytes:
    """The extension that repeats a GIF so many times, 0 for ever."""
    return b"!\xff\x0b" + name + b"\3\1" + struct.pack("<H", count) + b"\0"


def gif_frame(frame: GifFrame) -> bytes:
    """The blocks of one frame of a GIF."""
    flags = frame.disposal << 2 | (frame.transparent is not None)
    control = struct.pack("<BHBB", flags, frame.delay, frame.transparent or 0, 0)
    rows = frame.rows
    if frame.interlaced:
        rows = [*rows[::8], *rows[4::8], *rows[2::4], *rows[1::2]]
    indices = [index for row in rows for index in row]
    return b"".join((
        b"!\xf9\4" + control if frame.controlled else b"",
        b"," + struct.pack("<HHHH", *frame.box),
        bytes([_table_flags(frame.table) | 0x40 * frame.interlaced]) + frame.table,
        gif_pixels(indices),
    ))  # fmt: skip


def gif_pixels(indices: list[int]) -> bytes:
    """Indices in codes that never grow: the code table is cleared before it is full."""
    bits = max(2, max(indices, default=0).bit_length())
    clear, most = 1 << bits, (1 << bits) - 2
    codes = [code for at in range(0, len(indices), most) for code in (clear, *indices[at:][:most])]
    whole = "".join(f"{code:0{bits + 1}b}" for code in reversed((*(codes or [clear]), clear + 1)))
    packed = int(whole, 2).to_bytes(-(-len(whole) // 8), "little")
    blocks = (packed[at : at + 255] for at in range(0, len(packed), 255))
    return bytes([bits]) + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"


def _table_flags(table: bytes) -> int:
    return 0x80 | (len(table) // 3).bit_length() - 2 if table else 0


@dataclass(frozen=True)
class WebpFrame:
    """A frame of a WebP; its corner is even."""

    image: Image.Image
    corner: tuple[int, int] = (0, 0)
    clears: bool = False
    replaces: bool = False  # the pixels below, instead of blending with them
    duration: int = 100
    lossless: bool = True


def webp(
    size: tuple[int, int],
    frames: Iterable[WebpFrame],
    *,
    has_alpha: bool = True,
    plays: int = 0,
    background: int = 0,
) -> bytes:
    """An animated WebP; `background` is 0xAARRGGBB."""
    sides = b"".join((side - 1).to_bytes(3, "little") for side in size)
    header = (b"VP8X", bytes([2 | 0x10 * has_alpha, 0, 0, 0]) + sides)
    animation = (b"ANIM", struct.pack("<IH", background, plays))
    return riff(header, animation, *map(_webp_frame, frames))


def _webp_frame(frame: WebpFrame) -> tuple[bytes, bytes]:
    still = encoded(frame.image, "WEBP", lossless=frame.lossless, exact=True, quality=80)
    pixels = [one for one in webp_chunks(still) if one[0] in (b"ALPH", b"VP8 ", b"VP8L")]
    fields = (
        *(place // 2 for place in frame.corner),
        *(side - 1 for side in frame.image.size),
        frame.duration,
    )
    head = b"".join(field.to_bytes(3, "little") for field in fields)
    return b"ANMF", head + bytes([2 * frame.replaces | frame.clears]) + riff(*pixels)[12:]
