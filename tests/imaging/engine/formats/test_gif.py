"""GIF frames are decoded as browsers show them: transparent where no frame draws."""

import struct

import pytest
from PIL import Image, ImageSequence

from contracts.operations.pipeline import Pipeline
from services.imaging.engine import pipeline
from services.imaging.engine.decoding import decode
from services.imaging.engine.decoding.source import open_source
from services.imaging.engine.safety.limits import DEFAULT_LIMITS
from tests.imaging.pictures import decoded, encoded, pixel

GREEN, RED, BLUE = 0, 1, 2
TABLE = bytes((0, 255, 0, 255, 0, 0, 0, 0, 255, 9, 9, 9))
KEEP, CLEAR, RESTORE_PREVIOUS = 1, 2, 3  # disposal methods
TRANSPARENT = (0, 0, 0, 0)


def frame(
    box: tuple[int, int, int, int],
    colour: int,
    disposal: int = KEEP,
    transparent: int | None = None,
) -> bytes:
    """A frame of one colour; the box is left, upper, width and height."""
    flags = disposal << 2 | (transparent is not None)
    control = b"!\xf9\4" + struct.pack("<BHBB", flags, 5, transparent or 0, 0)
    # Three bits a code: clear before every pixel, so that codes stay three bits, and the end.
    codes = [code for _ in range(box[2] * box[3]) for code in (4, colour)] + [5]
    bits = sum(code << 3 * number for number, code in enumerate(codes))
    packed = bits.to_bytes((3 * len(codes) + 7) // 8, "little")
    blocks = b"".join(
        bytes([len(packed[at : at + 255])]) + packed[at : at + 255]
        for at in range(0, len(packed), 255)
    )
    return control + b"," + struct.pack("<HHHHB", *box, 0) + b"\2" + blocks + b"\0"


def gif(*frames: bytes) -> bytes:
    """A GIF of 20 x 20 with a table of four colours, the first of them green."""
    return b"GIF89a" + struct.pack("<HHBBB", 20, 20, 0x81, 0, 0) + TABLE + b"".join(frames) + b";"


WHOLE, HALF, SPOT = (0, 0, 20, 20), (0, 0, 10, 10), (12, 12, 6, 6)
OPAQUE = {GREEN: (0, 255, 0, 255), RED: (255, 0, 0, 255), BLUE: (0, 0, 255, 255)}


def shown(data: bytes, number: int, at: int) -> tuple[int, ...]:
    """The pixel of a frame at (at, at), in RGBA."""
    image = decode.decode_frame(open_source(data, DEFAULT_LIMITS), number).image
    return pixel(image.convert("RGBA"), at, at)


def rendered(data: bytes, **output: object) -> bytes:
    return pipeline.run(data, Pipeline.model_validate({"output": output})).data


def test_a_cleared_area_is_transparent() -> None:
    data = gif(frame(WHOLE, RED, CLEAR), frame(SPOT, BLUE))

    assert shown(data, 0, 2) == OPAQUE[RED]
    assert shown(data, 1, 2) == TRANSPARENT
    assert shown(data, 1, 15) == OPAQUE[BLUE]


@pytest.mark.parametrize("frames", [1, 2])
@pytest.mark.parametrize("animated", [True, False])
def test_an_area_that_no_frame_covers_is_transparent(frames: int, animated: bool) -> None:
    data = gif(*[frame(HALF, RED)] * frames)
    result = decoded(rendered(data, format="png", animated=animated)).convert("RGBA")

    assert pixel(result, 2, 2) == OPAQUE[RED]
    assert pixel(result, 15, 15) == TRANSPARENT


def test_a_restored_area_shows_the_frame_before() -> None:
    data = gif(frame(HALF, RED), frame(SPOT, BLUE, RESTORE_PREVIOUS), frame((0, 0, 2, 2), BLUE))

    assert shown(data, 1, 15) == OPAQUE[BLUE]
    assert shown(data, 2, 15) == TRANSPARENT
    assert shown(data, 2, 5) == OPAQUE[RED]


@pytest.mark.parametrize("box", [(15, 15, 9, 9), (40, 40, 4, 4), (0, 0, 30, 30), (5, 5, 0, 3)])
def test_a_later_frame_may_reach_outside_of_the_screen(box: tuple[int, int, int, int]) -> None:
    data = gif(frame(WHOLE, RED), frame(box, BLUE), frame(SPOT, GREEN))
    left, _, width, _ = box

    assert decode.inspect(data).frames == 3
    assert shown(data, 1, 19) == OPAQUE[BLUE if left < 19 < left + width else RED]
    assert shown(data, 1, 0) == OPAQUE[BLUE if left == 0 else RED]
    assert shown(data, 2, 13) == OPAQUE[GREEN]


def test_disposal_4_restores_the_frame_before() -> None:
    data = gif(frame(WHOLE, RED), frame(SPOT, BLUE, 4), frame((0, 0, 2, 2), BLUE))

    assert (shown(data, 1, 15), shown(data, 2, 15)) == (OPAQUE[BLUE], OPAQUE[RED])


def test_an_animation_whose_frames_cover_what_they_clear_is_opaque() -> None:
    data = gif(*[frame(WHOLE, colour, CLEAR) for colour in (RED, BLUE, GREEN)])

    assert decoded(rendered(data, format="webp", lossless=True)).mode == "RGB"


def loop(count: int, name: bytes = b"NETSCAPE2.0") -> bytes:
    return b"!\xff\x0b" + name + b"\3\1" + struct.pack("<H", count) + b"\0"


@pytest.mark.parametrize(
    ("before", "behind", "plays"),
    [
        (b"", b"", 1),
        (loop(0), b"", 0),
        (loop(2), b"", 3),
        (loop(2), loop(3), 4),
        (loop(2), loop(0), 0),
        (b"", loop(2), 3),
        (loop(2) + loop(5), b"", 6),
        (loop(2, b"ANIMEXTS1.0"), b"", 3),
        (loop(2, b"SOMEBODY1.0"), b"", 1),
        (b"!\xff\x0bNETSCAPE2.0\5\1\2\0\0\0\0", b"", 1),
    ],
)
def test_the_last_loop_count_of_a_gif_counts_wherever_it_stands(
    before: bytes, behind: bytes, plays: int
) -> None:
    data = gif(before, frame(WHOLE, RED), frame(SPOT, BLUE), behind)

    assert open_source(data, DEFAULT_LIMITS).plays == plays


def test_frames_may_be_decoded_in_any_order() -> None:
    source = open_source(gif(frame(HALF, RED, CLEAR), frame(SPOT, BLUE)), DEFAULT_LIMITS)

    found = [decode.decode_frame(source, number).image for number in (1, 0, 0, 1)]
    assert [pixel(image, 15, 15)[3] for image in found] == [255, 0, 0, 255]
    assert [pixel(image, 2, 2)[3] for image in found] == [0, 255, 255, 0]


def test_an_animation_whose_first_frame_covers_all_is_opaque() -> None:
    data = gif(frame(WHOLE, RED), frame(SPOT, BLUE))

    assert decoded(rendered(data, format="webp", lossless=True)).mode == "RGB"


def test_a_gif_rendered_twice_stays_transparent() -> None:
    first = gif(frame(WHOLE, RED, CLEAR), frame(SPOT, BLUE, CLEAR), frame(HALF, RED, transparent=3))
    again = rendered(rendered(first))

    for data in (first, again):
        assert [shown(data, number, 15) for number in range(3)] == [
            OPAQUE[RED], OPAQUE[BLUE], TRANSPARENT
        ]  # fmt: skip
        assert [shown(data, number, 2) for number in range(3)] == [
            OPAQUE[RED], TRANSPARENT, OPAQUE[RED]
        ]  # fmt: skip
    assert decode.decode_frame(open_source(first, DEFAULT_LIMITS), 1).duration == 50


def test_a_transparent_animation_becomes_a_gif_of_the_same_pixels() -> None:
    many = Image.new("RGBA", (20, 20), (0, 255, 0))
    for at in range(256):
        many.putpixel((at % 20, at // 20), (at, 255 - at, 0, 255))
    # Bars in the colours of the transparent index and of the first frame's table, along an edge.
    bars = Image.new("RGBA", (20, 20), "black")
    bars.paste((0, 0, 0, 0), (0, 5, 20, 15))
    lone = Image.new("RGBA", (20, 20))
    lone.paste((16, 0, 0, 255), (0, 0, 20, 4))
    frames = [many, bars, lone, bars.transpose(Image.Transpose.ROTATE_90)]
    data = rendered(encoded(many, "PNG", save_all=True, append_images=frames[1:]), format="gif")

    source = open_source(data, DEFAULT_LIMITS)
    for number, expected in enumerate(frames):
        found = decode.decode_frame(source, number).image.convert("RGBA")
        assert found.tobytes() == expected.tobytes()


def test_pillow_shows_our_gif_as_transparent_after_an_opaque_frame() -> None:
    frames = [Image.new("RGBA", (20, 20), "red"), Image.new("RGBA", (20, 20))]
    for image in frames:
        image.paste((0, 0, 255, 255), (5, 5, 10, 10))
    data = rendered(
        encoded(frames[0], "PNG", save_all=True, append_images=frames[1:]), format="gif"
    )

    for found, expected in zip(ImageSequence.Iterator(decoded(data)), frames, strict=True):
        assert found.convert("RGBA").tobytes() == expected.tobytes()


def test_an_animation_that_starts_in_gray_may_continue_in_colour() -> None:
    # A table of all tones in order: Pillow opens such a file in mode L.
    gray = Image.linear_gradient("L")
    others = [Image.new("L", gray.size, 77), Image.new("RGB", gray.size, "red")]
    data = encoded(gray, "GIF", save_all=True, append_images=others, duration=100)
    png = Pipeline.model_validate({"output": {"format": "png"}})
    result = decoded(pipeline.run(data, png).data)
    found = [frame.convert("RGB") for frame in ImageSequence.Iterator(result)]

    assert [pixel(frame, 3, 200) for frame in found] == [
        (200, 200, 200),
        (77, 77, 77),
        (255, 0, 0),
    ]


@pytest.mark.parametrize("length", range(20))
def test_an_animation_ends_before_a_frame_that_is_cut_off_in_its_table(length: int) -> None:
    first = encoded(Image.new("L", (8, 8)), "GIF").removesuffix(b";")
    cut = (b"," + struct.pack("<4HB", 0, 0, 8, 8, 0x83) + TABLE * 4)[:length]
    source = open_source(first + cut, DEFAULT_LIMITS)

    assert source.frames == 1
    assert decode.decode(source).image.size == (8, 8)
