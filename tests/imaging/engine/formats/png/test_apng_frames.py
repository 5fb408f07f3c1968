"""Frames of an animated PNG are composed as the specification says, pixel by pixel."""

import random
import struct

import pytest
from PIL import Image, ImageChops, ImageStat

from contracts.operations.pipeline import Pipeline
from services.imaging.engine import pipeline
from services.imaging.engine.decoding import decode
from services.imaging.engine.decoding.source import open_source
from services.imaging.engine.safety.limits import DEFAULT_LIMITS
from tests.imaging.forged import chunk
from tests.imaging.forged_animations import SAMPLES, Box, PngFrame, PngKind, apng
from tests.imaging.pictures import decoded, pixel

SIZE = (12, 9)
WHOLE, PART = (0, 0, *SIZE), (2, 1, 6, 5)
KEEP, CLEAR, RESTORE = 0, 1, 2  # dispose operations
REPLACE, OVER = 0, 1  # blend operations
RED, GREEN, BLUE = (255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 255)
TRANSPARENT = (0, 0, 0, 0)


def frame(box: Box, colour: tuple[int, ...], dispose: int = KEEP, blend: int = OVER) -> PngFrame:
    """A frame of one colour."""
    return PngFrame(box, [list(colour) * box[2] for _ in range(box[3])], dispose, blend)


def shown(data: bytes) -> list[Image.Image]:
    source = open_source(data, DEFAULT_LIMITS)
    return [
        decode.decode_frame(source, number).image.convert("RGBA") for number in range(source.frames)
    ]


def random_frame(dice: random.Random, box: Box, kind: PngKind) -> PngFrame:
    most = (1 << kind.depth) - 1
    few = [0, most, most // 2, dice.randint(0, most)]
    count = box[2] * SAMPLES[kind.colour_type]
    rows = [[dice.choice(few) for _ in range(count)] for _ in range(box[3])]
    return PngFrame(box, rows, dice.randrange(3), dice.randrange(2))


def composed(frames: list[PngFrame]) -> list[Image.Image]:
    """Frames in RGBA, composed as section 11.3.6.2 says, with fractions."""
    canvas = {(x, y): [0.0] * 4 for x in range(SIZE[0]) for y in range(SIZE[1])}
    results = []
    for one in frames:
        left, upper, width, height = one.box
        before = dict(canvas)
        inside = [(x, y) for y in range(height) for x in range(width)]
        for x, y in inside:
            *colour, alpha = (sample / 255 for sample in one.rows[y][4 * x : 4 * x + 4])
            *below, beneath = canvas[left + x, upper + y]
            if one.blend == OVER:
                rest = beneath * (1 - alpha)
                total = alpha + rest
                colour = [
                    (new * alpha + old * rest) / total if total else 0.0
                    for new, old in zip(colour, below, strict=True)
                ]
                alpha = total
            canvas[left + x, upper + y] = [*colour, alpha]
        result = Image.new("RGBA", SIZE)
        for place, samples in canvas.items():
            result.putpixel(place, tuple(round(255 * sample) for sample in samples))
        results.append(result)
        for x, y in inside if one.dispose else []:
            place = left + x, upper + y
            canvas[place] = before[place] if one.dispose == RESTORE else [0.0] * 4
    return results


@pytest.mark.parametrize("seed", range(8))
def test_every_frame_is_composed_by_the_specification(seed: int) -> None:
    dice, kind = random.Random(seed), PngKind()
    boxes = [WHOLE, PART, (0, 0, 3, 9), (5, 4, 7, 5), PART, (4, 0, 1, 1), WHOLE, PART]
    frames = [random_frame(dice, box, kind) for box in boxes]

    found = shown(apng(SIZE, frames))
    for one, expected in zip(found, composed(frames), strict=True):
        # Premultiplied: the colour of a transparent pixel is invisible.
        pair = [
            Image.frombytes("RGBA", SIZE, each.convert("RGBa").tobytes())
            for each in (one, expected)
        ]
        assert max(high for _, high in ImageStat.Stat(ImageChops.difference(*pair)).extrema) <= 2


def test_a_translucent_pixel_over_an_opaque_one_is_opaque() -> None:
    _, second = shown(apng(SIZE, [frame(WHOLE, RED), frame(PART, (0, 0, 255, 128))]))

    assert pixel(second, 3, 3) == (127, 0, 128, 255)
    assert pixel(second, 0, 0) == RED


def test_a_restored_area_shows_the_frame_before_although_frames_are_loaded_one_by_one() -> None:
    frames = [frame(WHOLE, GREEN), frame(PART, RED, RESTORE), frame((0, 0, 1, 1), BLUE)]
    first, second, third = shown(apng(SIZE, frames))

    assert (pixel(first, 3, 3), pixel(second, 3, 3), pixel(third, 3, 3)) == (GREEN, RED, GREEN)
    assert pixel(third, 0, 0) == BLUE


def test_a_cleared_area_is_transparent_in_an_opaque_png() -> None:
    kind = PngKind(2)
    frames = [frame(WHOLE, RED[:3]), frame(PART, BLUE[:3], CLEAR), frame((0, 0, 1, 1), RED[:3])]
    data = apng(SIZE, frames, kind)

    assert pixel(shown(data)[2], 3, 3) == TRANSPARENT
    webp = Pipeline.model_validate({"output": {"format": "webp", "lossless": True}})
    assert pixel(shown(pipeline.run(data, webp).data)[2], 3, 3) == TRANSPARENT


def test_an_animation_that_covers_what_it_clears_is_opaque() -> None:
    frames = [frame(WHOLE, colour[:3], CLEAR) for colour in (RED, GREEN, BLUE)]
    png = Pipeline.model_validate({"output": {"format": "png"}})

    assert decoded(pipeline.run(apng(SIZE, frames, PngKind(2)), png).data).mode == "RGB"


def test_a_default_image_that_is_no_frame_does_not_show_below_the_frames() -> None:
    poster = frame(WHOLE, RED).rows
    data = apng(SIZE, [frame(PART, BLUE), frame((0, 0, 1, 1), GREEN)], poster=poster)
    first, second = shown(data)

    assert (pixel(first, 0, 0), pixel(first, 3, 3)) == (TRANSPARENT, BLUE)
    assert (pixel(second, 0, 0), pixel(second, 9, 8)) == (GREEN, TRANSPARENT)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(
    ("colour_type", "depth"), [(0, 1), (0, 2), (0, 8), (0, 16), (2, 8), (2, 16), (4, 16), (6, 16)]
)
def test_frames_may_have_samples_of_any_kind(
    colour_type: int, depth: int, interlaced: bool
) -> None:
    kind = PngKind(colour_type, depth, interlaced)
    white = [(1 << depth) - 1] * SAMPLES[colour_type]
    # Black; opaque where there is alpha.
    black = [0] * len(white) if colour_type in (0, 2) else [*[0] * (len(white) - 1), white[-1]]
    first, second = shown(apng(SIZE, [frame(WHOLE, tuple(white)), frame(PART, tuple(black))], kind))

    assert pixel(first, 3, 3) == pixel(second, 0, 0) == (255,) * 4
    assert pixel(second, 3, 3) == (0, 0, 0, 255)


def test_frames_of_16_bits_may_have_a_transparent_colour() -> None:
    key, near = [0x1234] * 3, [0x1200] * 3
    kind = PngKind(2, 16, before_pixels=chunk(b"tRNS", struct.pack(">3H", *key)))
    frames = [PngFrame((0, 0, 2, 1), [[*key, *near]]), PngFrame((0, 0, 2, 1), [[*near, *key]])]
    first, second = shown(apng((2, 1), frames, kind))

    assert [pixel(first, x, 0)[3] for x in (0, 1)] == [0, 255]
    assert [pixel(second, x, 0)[3] for x in (0, 1)] == [255, 0]


def test_frames_may_be_decoded_in_any_order() -> None:
    data = apng(SIZE, [frame(WHOLE, RED, CLEAR), frame(PART, BLUE)])
    source = open_source(data, DEFAULT_LIMITS)

    found = [decode.decode_frame(source, number).image for number in (1, 0, 0, 1)]
    assert [pixel(image, 0, 0) for image in found] == [TRANSPARENT, RED, RED, TRANSPARENT]


@pytest.mark.parametrize("fault", ["outside", "empty", "sequence", "missing"])
def test_an_animation_ends_before_its_first_broken_frame(fault: str) -> None:
    frames = [frame(WHOLE, RED), frame(PART, BLUE), frame(PART, GREEN)]
    match fault:
        case "outside":
            data = apng(SIZE, [*frames[:2], frame((10, 0, 4, 4), GREEN)])
        case "empty":
            data = apng(SIZE, [*frames[:2], PngFrame((1, 1, 0, 4), [])])
        case "sequence":
            data = apng(SIZE, frames).replace(b"fcTL\0\0\0\3", b"fcTL\0\0\0\7")
        case _:
            data = apng(SIZE, frames[:2], claimed=9)

    assert decode.inspect(data).frames == 2
    assert pixel(shown(data)[1], 3, 3) == BLUE


def test_a_delay_is_a_fraction_of_a_second() -> None:
    frames = [
        PngFrame(WHOLE, frame(WHOLE, RED).rows, delay=delay)
        for delay in ((3, 1000), (1, 3), (5, 0), (0, 10), (65_535, 1))
    ]
    source = open_source(apng(SIZE, frames), DEFAULT_LIMITS)

    durations = [decode.decode_frame(source, number).duration for number in range(5)]
    assert durations == [3, 333, 50, 0, 655_350]
