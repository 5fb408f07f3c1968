"""Animated PNG (W3C, third edition): samples of every kind, every mode, and broken frames."""

import random
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import product

from bench.exact.pictures.animated.dice import PART, SIZE, WHOLE, random_alpha, random_box
from bench.exact.pictures.scene import Picture
from tests.imaging.forged import chunk
from tests.imaging.forged_animations import SAMPLES, Box, PngFrame, PngKind, apng
from tests.imaging.pictures import RED_IS_BLUE

_FRAMES = 7
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_RGB, _RGBA = PngKind(2), PngKind()
_DELAYS = ((0, 10), (1, 0), (3, 1000), (65_535, 1), (1, 65_535), (0, 0), (5, 0), (1, 3))
_OUTSIDE: dict[str, Box] = {
    "right": (20, 0, 8, 4),
    "below": (0, 16, 4, 8),
    "far away": (100, 100, 4, 4),
}


def animations() -> Iterator[Picture]:
    """Yield the files."""
    dice = random.Random(1)
    for make in (_kinds, _modes, _controls, _chunks, _opaque, _broken):
        for name, data in make(dice):
            yield f"png animation, {name}", data


def _kinds(dice: random.Random) -> Iterator[Picture]:
    for colour_type, depths in _DEPTHS.items():
        for depth in depths:
            name = f"type {colour_type}, {depth} bit"
            colours = chunk(b"PLTE", dice.randbytes(3 << depth)) if colour_type == 3 else b""
            kind = PngKind(colour_type, depth, before_pixels=colours)
            for interlaced in (False, True):
                asked = replace(kind, interlaced=interlaced)
                yield name + ", interlaced" * interlaced, _random(dice, asked)
            if colour_type == 3:
                alphas = bytes(random_alpha(dice, 255) for _ in range(1 << depth))
                for what, alpha in (("tRNS", alphas), ("tRNS of one", b"\xff\0")):
                    asked = replace(kind, before_pixels=colours + chunk(b"tRNS", alpha))
                    yield f"{name}, {what}", _random(dice, asked)
            if colour_type in (0, 2):
                frames = _frames(dice, kind, _random_modes(dice))
                key = frames[0].rows[0][: SAMPLES[colour_type]]
                clear = chunk(b"tRNS", struct.pack(f">{len(key)}H", *key))
                yield f"{name}, tRNS", apng(SIZE, frames, replace(kind, before_pixels=clear))


def _modes(dice: random.Random) -> Iterator[Picture]:
    for number in range(12):
        yield f"modes {number}", apng(SIZE, _frames(dice, _RGBA, _random_modes(dice, 10)))
    for dispose, blend in product(range(3), range(2)):
        modes = [(dispose, blend)] * 4
        name = f"dispose {dispose}, blend {blend}"
        yield name, apng(SIZE, _frames(dice, _RGBA, modes))
        frames = _frames(dice, _RGBA, modes, first=PART)
        yield f"{name}, poster", apng(SIZE, frames, poster=_rows(dice, WHOLE, _RGBA))


def _controls(dice: random.Random) -> Iterator[Picture]:
    frames = _frames(dice, _RGBA, [(0, 1)] * 4)
    for delay in _DELAYS:
        data = apng(SIZE, [replace(frame, delay=delay) for frame in frames])
        yield f"delay {delay[0]} by {delay[1]}", data
    for plays in (1, 2, 3, 65_536):
        yield f"plays {plays}", apng(SIZE, frames, plays=plays)
    yield "one frame", apng(SIZE, frames[:1])
    yield "one frame, poster", apng(SIZE, frames[:1], poster=_rows(dice, WHOLE, _RGBA))
    yield "fdAT in parts", apng(SIZE, [replace(frame, parts=5) for frame in frames])
    for claimed in (2, 6):
        yield f"claims {claimed} frames of 4", apng(SIZE, frames, claimed=claimed)
    yield "unknown dispose", apng(SIZE, [replace(frame, dispose=3) for frame in frames])
    yield "unknown blend", apng(SIZE, [replace(frame, blend=2) for frame in frames])


def _chunks(dice: random.Random) -> Iterator[Picture]:
    for name, before in {
        "sRGB": chunk(b"sRGB", b"\0"),
        "iCCP": chunk(b"iCCP", b"icc\0\0" + zlib.compress(RED_IS_BLUE)),
        "sBIT": chunk(b"sBIT", b"\5\5\5\5"),
        "bKGD": chunk(b"bKGD", bytes(6)),
    }.items():
        kind = replace(_RGBA, before_pixels=before)
        yield name, apng(SIZE, _frames(dice, kind, [(0, 1)] * 3), kind)
    whole = apng(SIZE, _frames(dice, _RGBA, [(0, 1)] * 4))
    for kind_of, body in ((b"tEXt", b"a\0b"), (b"prVt", b"abc")):
        yield f"{kind_of.decode()} between frames", _with_chunk(whole, chunk(kind_of, body), 3)
    control = chunk(b"acTL", struct.pack(">II", 4, 0))
    yield "two acTL", whole.replace(control, control * 2)
    yield "acTL behind IDAT", _with_chunk(whole.replace(control, b""), control, 1)
    yield "acTL of no frames", whole.replace(control, chunk(b"acTL", bytes(8)))
    yield "no acTL", whole.replace(control, b"")


def _opaque(dice: random.Random) -> Iterator[Picture]:
    for dispose in (1, 2):
        modes = [(0, 0), (dispose, 0), (dispose, 0), (0, 0)]
        yield f"opaque, dispose {dispose}", apng(SIZE, _frames(dice, _RGB, modes), _RGB)
        frames = _frames(dice, _RGB, [(dispose, 0), *[(0, 0)] * 3])
        yield f"opaque, dispose {dispose} first", apng(SIZE, frames, _RGB)
    frames = _frames(dice, _RGB, [(0, 0)] * 3, first=PART)
    yield "opaque, poster", apng(SIZE, frames, _RGB, poster=_rows(dice, WHOLE, _RGB))


def _broken(dice: random.Random) -> Iterator[Picture]:
    frames = _frames(dice, _RGBA, [(0, 1)] * 4)
    whole = apng(SIZE, frames)
    yield "first frame a part", apng(SIZE, _frames(dice, _RGBA, [(0, 1)] * 4, first=(0, 0, 10, 9)))
    for where, box in _OUTSIDE.items():
        outside = PngFrame(box, _rows(dice, box, _RGBA))
        yield f"frame outside, {where}", apng(SIZE, [*frames[:2], outside, *frames[2:]])
    yield "frame without width", apng(SIZE, [*frames[:2], PngFrame((2, 2, 0, 4), []), frames[2]])
    yield "no IEND", whole[:-12]
    yield "cut off", whole[:-60]
    yield "damaged", whole[:-30] + bytes([whole[-30] ^ 255]) + whole[-29:]
    yield "sequence number repeats", whole.replace(b"fcTL\0\0\0\3", b"fcTL\0\0\0\2")


def _random(dice: random.Random, kind: PngKind) -> bytes:
    return apng(SIZE, _frames(dice, kind, _random_modes(dice)), kind)


def _random_modes(dice: random.Random, count: int = _FRAMES) -> list[tuple[int, int]]:
    """Return a dispose and a blend operation for each frame."""
    return [(dice.randrange(3), dice.randrange(2)) for _ in range(count)]


def _frames(
    dice: random.Random, kind: PngKind, modes: Iterable[tuple[int, int]], *, first: Box = WHOLE
) -> list[PngFrame]:
    frames = list[PngFrame]()
    for dispose, blend in modes:
        box = random_box(dice) if frames else first
        frames.append(PngFrame(box, _rows(dice, box, kind), dispose, blend))
    return frames


def _rows(dice: random.Random, box: Box, kind: PngKind) -> list[list[int]]:
    most, has_alpha = (1 << kind.depth) - 1, kind.colour_type in (4, 6)
    colours = SAMPLES[kind.colour_type] - has_alpha
    # Few values, so that some pixels have a transparent colour.
    few = [dice.randint(0, most) for _ in range(4)]

    def pixel() -> list[int]:
        alpha = [random_alpha(dice, most)] if has_alpha else []
        return [dice.choice(few) for _ in range(colours)] + alpha

    return [[sample for _ in range(box[2]) for sample in pixel()] for _ in range(box[3])]


def _with_chunk(png: bytes, added: bytes, number: int) -> bytes:
    """Insert a chunk before the frame of a number, from 0."""
    at = -1
    for _ in range(number + 1):
        at = png.index(b"fcTL", at + 1)
    return png[: at - 4] + added + png[at - 4 :]
