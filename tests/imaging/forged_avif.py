"""AVIF files put together from streams of AV1 that Pillow has written, with boxes that may lie."""

import re
import struct
from dataclasses import dataclass

from PIL import Image

from contracts.operations.sizes import Size
from tests.imaging.forged import box
from tests.imaging.pictures import encoded

_ALPHA = b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0"


@dataclass(frozen=True)
class Item:
    """An item of an AVIF, with the size that its `ispe` claims."""

    payload: bytes
    claims: Size
    kind: bytes = b"av01"
    auxiliary: bytes = b""
    config: bytes = b""


def blank(width: int, height: int, mode: str = "RGB") -> bytes:
    """An AVIF of one colour, in 0.02 s for 9 million pixels."""
    return encoded(Image.new(mode, (width, height), "gray"), "AVIF", speed=10)


def coded(width: int, height: int, claims: Size | None = None, *, alpha: bool = False) -> Item:
    """An item of one colour."""
    file = blank(width, height, "L" if alpha else "RGB")
    at = file.index(b"av1C") - 4
    config = file[at : at + int.from_bytes(file[at : at + 4], "big")]
    auxiliary = _ALPHA if alpha else b""
    return Item(payload_of(file), claims or (width, height), auxiliary=auxiliary, config=config)


def grid(columns: int, rows: int, output: Size, claims: Size | None = None) -> Item:
    """An item that is made of tiles."""
    payload = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, *output)
    return Item(payload, claims or output, kind=b"grid")


def payload_of(file: bytes) -> bytes:
    """The AV1 of a still that Pillow has written, without alpha and metadata."""
    return file[file.index(b"mdat") + 4 :]


def sequence_header_of(file: bytes) -> bytes:
    """The sequence header of such a still, which follows the two bytes of a temporal delimiter."""
    payload = payload_of(file)
    return payload[2 : 4 + payload[3]]


def avif(*items: Item, references: tuple[tuple[bytes, int, tuple[int, ...]], ...] = ()) -> bytes:
    """An AVIF of items with the numbers from 1, the first one shown, each in two extents.

    References are a type, the item they begin from and the items they lead to.
    """
    infos, places, uses = b"", b"", b""
    properties: list[bytes] = []
    stored = b""
    for number, item in enumerate(items, 1):
        infos += box(b"infe", struct.pack(">IHH", 2 << 24, number, 0), item.kind, b"\0")
        own = [box(b"ispe", bytes(4), struct.pack(">II", *item.claims)), item.config]
        if item.auxiliary:
            own.append(box(b"auxC", bytes(4), item.auxiliary))
        own = [one for one in own if one]
        first = len(properties) + 1
        properties += own
        uses += struct.pack(">HB", number, len(own)) + bytes(range(first, first + len(own)))
        half = len(item.payload) // 2
        places += struct.pack(">HHHH", number, 1, 0, 2)
        middle, rest = len(stored) + half, len(item.payload) - half
        places += struct.pack(">IIII", len(stored), half, middle, rest)
        stored += item.payload
    links = (
        box(kind, struct.pack(f">HH{len(to)}H", origin, len(to), *to))
        for kind, origin, to in references
    )
    return box(b"ftyp", b"avif\0\0\0\0avifmif1miaf") + box(
        b"meta",
        bytes(4),
        box(b"hdlr", bytes(8), b"pict", bytes(13)),
        box(b"pitm", bytes(4), b"\0\1"),
        box(b"iloc", struct.pack(">IBBH", 1 << 24, 0x44, 0, len(items)), places),
        box(b"iinf", bytes(4), struct.pack(">H", len(items)), infos),
        box(b"iref", bytes(4), *links),
        box(
            b"iprp",
            box(b"ipco", *properties),
            box(b"ipma", bytes(4), struct.pack(">I", len(items)), uses),
        ),
        box(b"idat", stored),
    )


def claiming(file: bytes, width: int, height: int) -> bytes:
    """An AVIF all of whose items and tracks claim another size."""
    size = struct.pack(">II", width, height)
    file = re.sub(rb"(ispe.{4}).{8}", lambda found: found[1] + size, file, flags=re.DOTALL)
    # Version 1 of the box has 96 bytes, and ends with the size in units of 1/65536.
    track = struct.pack(">II", width << 16, height << 16)
    return re.sub(rb"(tkhd\x01.{87}).{8}", lambda found: found[1] + track, file, flags=re.DOTALL)


def animation(width: int, height: int, frames: int = 3) -> bytes:
    """An animated AVIF with alpha."""
    first, *rest = [
        Image.new("RGBA", (width, height), (shade, 90, 160, 255 - shade)) for shade in range(frames)
    ]
    return encoded(first, "AVIF", speed=10, save_all=True, append_images=rest)


def beside_tracks(file: bytes, count: int = 1) -> bytes:
    """An AVIF with the general brand, whose items are shown, followed by tracks of no samples."""
    names = (b"stsd", b"stsz", b"stsc", b"stco")
    table = box(b"stbl", *(box(name, bytes(12)) for name in names))
    track = box(b"trak", box(b"mdia", box(b"minf", table)))
    return file[:8] + b"mif1" + file[12:] + box(b"moov", track * count)
