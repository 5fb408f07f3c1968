"""Animated GIF: every disposal, tables, loop counts, frames outside of the screen, odd blocks."""

import random
import struct
from collections.abc import Iterable, Iterator
from dataclasses import replace

from bench.exact.pictures.animated.dice import PART, SIZE, WHOLE, random_box
from bench.exact.pictures.scene import Picture
from tests.imaging.forged_animations import Box, GifFrame, gif, gif_frame, gif_loop

_KEEP, _CLEAR, _RESTORE = 1, 2, 3
_COLOURS = 8
_OUTSIDE: dict[str, Box] = {
    "right": (20, 0, 8, 4),
    "below": (0, 16, 4, 8),
    "far away": (100, 100, 4, 4),
    "around": (0, 0, 30, 30),
}


def animations() -> Iterator[Picture]:
    """Yield the files."""
    dice = random.Random(2)
    table = dice.randbytes(3 * _COLOURS)
    for make in (_modes, _tables, _loops, _controls, _outside, _blocks):
        for name, data in make(dice, table):
            yield f"gif animation, {name}", data


def _modes(dice: random.Random, table: bytes) -> Iterator[Picture]:
    for number in range(12):
        frames = [
            replace(
                frame,
                table=dice.choice((b"", dice.randbytes(3 * _COLOURS))),
                interlaced=dice.random() < 0.3,
            )
            for frame in _frames(dice, [dice.randrange(4) for _ in range(8)])
        ]
        yield f"modes {number}", gif(SIZE, frames, table, before=gif_loop(0))
    for disposal in range(8):
        for first in (WHOLE, PART):
            for transparent in (True, False):
                frames = _frames(dice, [disposal] * 4, first=first, transparent=transparent)
                name = f"disposal {disposal}{', first a part' * (first is PART)}"
                yield name + ", transparent" * transparent, gif(SIZE, frames, table)
    frames = _frames(dice, [_RESTORE, _RESTORE, _KEEP, _RESTORE, _CLEAR, _KEEP])
    yield "first frame restored", gif(SIZE, frames, table)
    covering = [GifFrame(WHOLE, _rows(dice, WHOLE), _CLEAR) for _ in range(4)]
    yield "cleared and covered", gif(SIZE, covering, table)


def _tables(dice: random.Random, table: bytes) -> Iterator[Picture]:
    for colours in (2, 4, 16, 32, 64, 128, 256):
        frames = _frames(dice, [dice.randrange(4) for _ in range(4)], colours)
        yield f"{colours} colours", gif(SIZE, frames, dice.randbytes(3 * colours))
    frames, clearing = _frames(dice, [_KEEP] * 4), _frames(dice, [_CLEAR] * 4, first=PART)
    for name, some in (("kept", frames), ("cleared", clearing)):
        yield f"no table, {name}", gif(SIZE, some)
        yield f"indices beyond the table, {name}", gif(SIZE, some, table[:12])
        beyond = [replace(frame, transparent=200) for frame in some]
        yield f"transparent index beyond the table, {name}", gif(SIZE, beyond, table)
    yield "background 5", gif(SIZE, clearing, table, background=5)
    ramp = bytes(gray for gray in range(256) for _ in range(3))
    yield "ramp of grays", gif(SIZE, frames, ramp)
    yield "few grays", gif(SIZE, frames, ramp[:24])
    colourful = [replace(frame, table=table) for frame in frames[1:]]
    yield "ramp of grays, then colours", gif(SIZE, [frames[0], *colourful], ramp)


def _loops(dice: random.Random, table: bytes) -> Iterator[Picture]:
    frames = _frames(dice, [_KEEP] * 4)
    once, thrice, for_ever = gif_loop(1), gif_loop(3), gif_loop(0)
    for name, before in {
        "no loop": b"", "loop 0": for_ever, "loop 1": once, "loop 5": gif_loop(5),
        "loop 65535": gif_loop(65_535), "loop 3 twice": thrice * 2,
        "loop 3 and 1": thrice + once, "loop 3 and 0": thrice + for_ever,
        "loop 0 and 3": for_ever + thrice, "loop 1 and ANIMEXTS 3": once + _animexts(3),
        "ANIMEXTS 4": _animexts(4), "loop of another name": gif_loop(4, b"SOMEBODY1.0"),
        "loop behind a buffer": b"!\xff\x0bNETSCAPE2.0\5\2\0\0\1\0\3\1\2\0\0",
        "loop of 5 bytes": b"!\xff\x0bNETSCAPE2.0\5\1\2\0\0\0\0",
        "loop of 2 bytes": b"!\xff\x0bNETSCAPE2.0\2\1\2\0",
        "loop without a count": b"!\xff\x0bNETSCAPE2.0\0", "comment": b"!\xfe\3abc\0",
    }.items():  # fmt: skip
        yield name, gif(SIZE, frames, table, before=before)
    others = b"".join(map(gif_frame, frames[1:]))
    for name, end in (("first frame", thrice + others), ("last frame", others + thrice)):
        for before in (b"", once):
            data = gif(SIZE, frames[:1], table, before=before, end=end + b";")
            yield f"{'loop 1, and ' * bool(before)}loop 3 behind the {name}", data


def _animexts(count: int) -> bytes:
    return gif_loop(count, b"ANIMEXTS1.0")


def _controls(dice: random.Random, table: bytes) -> Iterator[Picture]:
    frames, clearing = _frames(dice, [_KEEP] * 4), _frames(dice, [_CLEAR] * 4, first=PART)
    for delay in (0, 1, 2, 65_535):
        yield f"delay {delay}", gif(SIZE, [replace(frame, delay=delay) for frame in frames], table)
    yield "no control", gif(SIZE, [replace(frame, controlled=False) for frame in frames], table)
    some = [replace(frame, controlled=number % 2 == 0) for number, frame in enumerate(clearing)]
    yield "control of every second frame", gif(SIZE, some, table)
    control = b"!\xf9\4\x09\x07\0\2\0"
    plain = gif_frame(replace(frames[2], controlled=False))
    text = b"!\x01\x0c" + struct.pack("<HHHHBBBB", 0, 0, 8, 8, 8, 8, 1, 0) + b"\1a\0"
    for name, end in {
        "control, comment, frame": control + b"!\xfe\1a\0" + plain,
        "two controls": control + gif_frame(frames[2]),
        "control, plain text, frame": control + text + plain,
    }.items():
        yield name, gif(SIZE, frames[:2], table, end=end + b";")


def _outside(dice: random.Random, table: bytes) -> Iterator[Picture]:
    frames = _frames(dice, [_KEEP] * 4)
    for where, box in _OUTSIDE.items():
        outside = GifFrame(box, _rows(dice, box))
        for disposal in (_KEEP, _CLEAR, _RESTORE):
            later = [*frames[:2], replace(outside, disposal=disposal), *frames[2:]]
            yield f"frame outside, {where}, disposal {disposal}", gif(SIZE, later, table)
        yield f"first frame outside, {where}", gif(SIZE, [outside, *frames], table)
    for width, height in ((0, 4), (4, 0), (0, 0)):
        empty = GifFrame((2, 2, width, height), [])
        yield f"frame of {width} x {height}", gif(SIZE, [*frames[:2], empty, *frames[2:]], table)
        yield f"first frame of {width} x {height}", gif(SIZE, [empty, *frames], table)
    yield "screen of 0 x 0", gif((0, 0), frames, table)


def _blocks(dice: random.Random, table: bytes) -> Iterator[Picture]:
    frames = _frames(dice, [_KEEP] * 4)
    whole = gif(SIZE, frames, table)
    yield "GIF87a", b"GIF87a" + whole[6:]
    yield "no trailer", whole[:-1]
    yield "bytes behind the trailer", whole + bytes(20)
    yield "zeros before the trailer", whole[:-1] + bytes(3) + b";"
    yield "cut off", whole[:-40]
    yield "unknown block", gif(SIZE, frames[:2], table, end=b"?" + gif_frame(frames[2]) + b";")
    rows = frames[2].rows
    for name, changed in (("few", rows[:-1]), ("many", [*rows, rows[0]])):
        other = replace(frames[2], rows=changed)
        yield f"a row too {name}", gif(SIZE, [*frames[:2], other, frames[3]], table)


def _frames(
    dice: random.Random,
    disposals: Iterable[int],
    colours: int = _COLOURS,
    *,
    first: Box = WHOLE,
    transparent: bool = True,
) -> list[GifFrame]:
    frames = list[GifFrame]()
    for disposal in disposals:
        box = random_box(dice) if frames else first
        index = dice.choice((None, dice.randrange(colours))) if transparent else None
        frames.append(GifFrame(box, _rows(dice, box, colours), disposal, index))
    return frames


def _rows(dice: random.Random, box: Box, colours: int = _COLOURS) -> list[list[int]]:
    return [[dice.randrange(colours) for _ in range(box[2])] for _ in range(box[3])]
