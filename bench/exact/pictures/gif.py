"""GIF, written after its specification: tables, code sizes, interlace, offsets, transparency."""

import struct
from collections.abc import Iterator

from bench.exact.pictures.scene import SIZE, Picture, scene

_SIZES = ((1, 1), (2, 2), (3, 5), (8, 8), (9, 17), (64, 1))
_CLEAR_EVERY = 2  # codes, so that the size of codes never grows


def stills() -> Iterator[Picture]:
    """Yield the files."""
    for bits in range(1, 9):
        for interlaced in (False, True):
            yield _sample(bits, interlaced=interlaced)
            yield _sample(bits, interlaced=interlaced, transparent=1)
        yield _sample(bits, local=True)
    for size in _SIZES:
        for interlaced in (False, True):
            yield _sample(3, frame=(0, 0, *size), screen=size, interlaced=interlaced)
    for left, top, width, height in ((5, 3, 20, 30), (0, 10, 67, 20), (66, 44, 1, 1)):
        for transparent in (None, 2):
            yield _sample(3, frame=(left, top, width, height), transparent=transparent)
    yield _sample(3, version=b"87a")
    yield _sample(3, background=3, frame=(9, 9, 20, 20))
    yield _sample(3, trailer=b"\0\0 after the picture")
    yield _sample(3, trailer=b"")


def gif(
    screen: tuple[int, int],
    table: bytes,
    frames: bytes,
    *,
    background: int = 0,
    version: bytes = b"89a",
    trailer: bytes = b";",
) -> bytes:
    """Return a file of a screen with a global colour table, if there is one, and of its frames."""
    flags = 0x80 | _table_bits(table) if table else 0
    header = struct.pack("<HHBBB", *screen, flags, background, 0)
    return b"GIF" + version + header + table + frames + trailer


def frame(
    box: tuple[int, int, int, int],
    rows: list[bytes],
    bits: int,
    *,
    table: bytes = b"",
    interlaced: bool = False,
) -> bytes:
    """Return the blocks of a frame at left, top, width and height."""
    flags = 0x40 * interlaced | (0x80 | _table_bits(table) if table else 0)
    if interlaced:
        starts = ((0, 8), (4, 8), (2, 4), (1, 2))
        rows = [row for start, step in starts for row in rows[start::step]]
    size = max(2, bits)
    codes = _codes(b"".join(rows), size)
    blocks = (codes[at : at + 255] for at in range(0, len(codes), 255))
    data = b"".join(bytes([len(block)]) + block for block in blocks)
    return b"," + struct.pack("<HHHHB", *box, flags) + table + bytes([size]) + data + b"\0"


def control(*, transparent: int | None = None, delay: int = 0, disposal: int = 0) -> bytes:
    """Return the graphic control extension of the frame that follows; `delay` is in 1/100 s."""
    flags = disposal << 2 | (transparent is not None)
    return b"!\xf9\4" + struct.pack("<BHBB", flags, delay, transparent or 0, 0)


def table_of(bits: int, seed: int = 37) -> bytes:
    """Return a table of 2^bits different colours."""
    colours = ((n * seed % 256, n * 101 % 256, 255 - n * 11 % 256) for n in range(1 << bits))
    return b"".join(map(bytes, colours))


def rows_of(size: tuple[int, int], bits: int) -> list[bytes]:
    """Return the rows of a picture of 2^bits colours."""
    levels = scene("L", size).point([level >> (8 - bits) for level in range(256)]).tobytes()
    return [levels[at : at + size[0]] for at in range(0, len(levels), size[0])]


def _sample(
    bits: int,
    *,
    screen: tuple[int, int] = SIZE,
    frame: tuple[int, int, int, int] = (0, 0, *SIZE),
    local: bool = False,
    interlaced: bool = False,
    transparent: int | None = None,
    version: bytes = b"89a",
    background: int = 0,
    trailer: bytes = b";",
) -> Picture:
    table = table_of(bits)
    extension = b"" if transparent is None else control(transparent=transparent)
    picture = _frame(frame, rows_of(frame[2:], bits), bits, table * local, interlaced)
    data = gif(
        screen, b"" if local else table, extension + picture,
        background=background, version=version, trailer=trailer,
    )  # fmt: skip
    notes = {
        "interlaced": interlaced,
        "local table": local,
        f"transparent {transparent}": transparent is not None,
        f"of {screen[0]} x {screen[1]}": screen != SIZE,
        f"at {frame}": frame != (0, 0, *screen),
        f"GIF{version.decode()}": version != b"89a",
        f"background {background}": background,
        f"ends with {trailer!r}": trailer != b";",
    }
    name = " ".join([f"gif {bits} bit", *(note for note, said in notes.items() if said)])
    return name, data


def _frame(
    box: tuple[int, int, int, int], rows: list[bytes], bits: int, table: bytes, interlaced: bool
) -> bytes:
    return frame(box, rows, bits, table=table, interlaced=interlaced)


def _table_bits(table: bytes) -> int:
    return (len(table) // 3).bit_length() - 2


def _codes(indexes: bytes, size: int) -> bytes:
    """Return LZW codes that never refer to earlier ones: a clear code before every second index."""
    clear, end, width = 1 << size, (1 << size) + 1, size + 1
    value, length = 0, 0
    packed = bytearray()
    codes = [clear]
    for number, index in enumerate(indexes, start=1):
        codes.append(index)
        if number % _CLEAR_EVERY == 0:
            codes.append(clear)
    for code in [*codes, end]:
        value |= code << length
        length += width
        while length >= 8:
            packed.append(value & 255)
            value >>= 8
            length -= 8
    return bytes(packed) + (bytes([value]) if length else b"")
