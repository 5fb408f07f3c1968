"""Durations of an animation's frames, and the number of times it plays."""

import re
import struct

import pytest

from contracts.errors import InvalidOperation
from contracts.operations.shapes import Crop
from services.imaging.engine.formats.avif import loops as avif_loops
from tests.imaging.animations import ANIMATED_FORMATS, DURATIONS, animation, moving_square
from tests.imaging.engine.animated import durations, run
from tests.imaging.forged import box
from tests.imaging.pictures import decoded, encoded


@pytest.mark.parametrize("target", ["GIF", "PNG", "WEBP"])
@pytest.mark.parametrize("plays", [0, 1, 3])
def test_the_number_of_plays_is_kept(target: str, plays: int) -> None:
    repeats = {} if plays == 1 else {"loop": max(0, plays - 1)}
    first, *others = moving_square()
    gif = encoded(first, "GIF", save_all=True, append_images=others, duration=50, **repeats)
    image = decoded(run(gif, format=target.lower()))

    if target == "GIF":
        assert image.info.get("loop") == repeats.get("loop")
        assert run(gif) == run(run(gif)), "a second run changes nothing"
    else:
        assert image.info["loop"] == plays


@pytest.mark.parametrize("target", ["GIF", "PNG", "WEBP"])
def test_plays_are_limited_to_what_every_format_can_store(target: str) -> None:
    image = decoded(run(animation("PNG", moving_square(), loop=2**31), format=target.lower()))

    assert image.info["loop"] == 65_535 - (target == "GIF")


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("plays", [0, 1, 3, 65_535])
def test_an_avif_lasts_its_duration_times_its_plays(plays: int, mode: str) -> None:
    data = run(animation("PNG", moving_square(mode=mode), loop=plays), format="avif")
    for_ever, once = 2**64 - 1, sum(DURATIONS)

    # The duration fields of the movie's and the tracks' headers.
    found = re.findall(rb"(?:mvhd.{24}|tkhd.{28})(.{8})", data, re.DOTALL)
    assert len(found) == (3 if mode == "RGBA" else 2)
    assert {int.from_bytes(lasts, "big") for lasts in found} == {plays * once or for_ever}
    assert durations(data) == DURATIONS


@pytest.mark.parametrize("plays", [0, 1, 3, 65_535])
def test_the_number_of_plays_of_an_avif_is_kept(plays: int) -> None:
    moving = run(animation("PNG", moving_square(), loop=plays), format="avif")
    assert decoded(run(moving, format="png")).info["loop"] == plays


def track(lasts: int, once: int, *, repeated: bool = True) -> bytes:
    """The boxes of an AVIF sequence, with durations of four bytes."""
    header = box(b"tkhd", bytes(20), struct.pack(">I", lasts), bytes(60))
    edits = box(b"elst", struct.pack(">III", repeated, 1, once), bytes(8))
    whole = box(b"moov", box(b"mvhd", bytes(100)), box(b"trak", header, box(b"edts", edits)))
    return box(b"ftyp", b"avis") + whole + box(b"mdat", bytes(8))


@pytest.mark.parametrize(
    ("lasts", "once", "repeated", "plays"),
    [
        *((300, 100, True, 3), (250, 100, True, 3), (100, 100, False, 1)),
        *((2**32 - 1, 100, True, 0), (300, 0, True, 0)),
    ],
)
def test_plays_are_track_duration_by_edit_duration(
    lasts: int, once: int, plays: int, *, repeated: bool
) -> None:
    data = track(lasts, once, repeated=repeated)
    assert avif_loops.loop_count(data) == plays
    for length in range(len(data)):
        avif_loops.loop_count(data[:length])


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ([16] * 4, [20] * 4),
        ([25] * 4, [30, 20, 30, 20]),
        ([33, 33, 33, 33], [30, 40, 30, 30]),
        ([16, 16, 16, 1000], [20, 20, 20, 1000]),
        ([12, 100, 5, 0], [20, 100, 10, 0]),
        ([655_350, 14, 655_349, 500], [655_350, 20, 655_340, 500]),
    ],
)
def test_gif_durations_are_rounded_to_hundredths_of_a_second(
    asked: list[int], found: list[int]
) -> None:
    data = animation("WEBP", moving_square(), duration=asked)

    assert durations(run(data, format="gif")) == found


def test_equal_frames_keep_their_durations() -> None:
    frames = moving_square()
    still = [frames[0], frames[0], frames[1], frames[1]]
    webp = animation("WEBP", still)

    for target in ANIMATED_FORMATS:
        assert sum(durations(run(webp, format=target.lower()))) == sum(DURATIONS)


@pytest.mark.parametrize("target", ANIMATED_FORMATS)
def test_a_frame_may_last_for_minutes_or_zero_milliseconds(target: str) -> None:
    asked = [10, 655_350, 70_000, 500]
    found = durations(run(animation("PNG", moving_square(), duration=asked), format=target.lower()))

    assert found == asked
    none = animation("PNG", moving_square(), duration=[0, 100, 0, 100])
    assert sum(durations(run(none, format=target.lower()))) in (200, 202), (
        "AVIF has no zero duration"
    )


def test_merged_frames_may_last_too_long_for_a_gif() -> None:
    long = animation("WEBP", moving_square(), duration=600_000)
    ground = Crop(left=0, top=40, width=64, height=8)

    assert sum(durations(run(long, format="gif"))) == 2_400_000
    with pytest.raises(InvalidOperation, match="655 seconds"):
        run(long, ground, format="gif")


def test_equal_transparent_frames_are_merged_up_to_the_longest_gif_duration() -> None:
    lasting = [50, 600_000, 50_000, 90_000]
    data = animation("PNG", moving_square(mode="RGBA"), duration=lasting)
    nothing = Crop(left=0, top=40, width=64, height=8)

    assert durations(run(data, format="gif")) == lasting
    assert durations(run(data, nothing, format="gif")) == [650_050, 90_000]
