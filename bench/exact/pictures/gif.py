"""GIF, written after its specification: tables, code sizes, interlace, offsets, transparency."""

from collections.abc import Iterator

from bench.exact.pictures.scene import SIZE, Picture, scene
from tests.imaging.forged_animations import Box, GifFrame, gif

_SIZES = ((1, 1), (2, 2), (3, 5), (8, 8), (9, 17), (64, 1))


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


def _sample(
    bits: int,
    *,
    screen: tuple[int, int] = SIZE,
    frame: Box = (0, 0, *SIZE),
    local: bool = False,
    interlaced: bool = False,
    transparent: int | None = None,
    version: bytes = b"89a",
    background: int = 0,
    trailer: bytes = b";",
) -> Picture:
    table = _table_of(bits)
    picture = GifFrame(
        frame,
        _rows_of(frame[2:], bits),
        disposal=0,
        transparent=transparent,
        table=table * local,
        interlaced=interlaced,
        controlled=transparent is not None,
    )
    data = gif(screen, [picture], table * (not local), background=background, end=trailer)
    data = data.replace(b"89a", version, 1)
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


def _table_of(bits: int) -> bytes:
    """Return a table of 2^bits different colours."""
    colours = ((n * 37 % 256, n * 101 % 256, 255 - n * 11 % 256) for n in range(1 << bits))
    return b"".join(map(bytes, colours))


def _rows_of(size: tuple[int, int], bits: int) -> list[list[int]]:
    """Return the rows of a picture of 2^bits colours."""
    levels = scene("L", size).point([level >> (8 - bits) for level in range(256)]).tobytes()
    return [[*levels[at : at + size[0]]] for at in range(0, len(levels), size[0])]
