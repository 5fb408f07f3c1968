"""Animations: frames, durations, plays and transparency, from each format to each other."""

import re
import struct
import tracemalloc

import pytest
from PIL import Image, ImageSequence
from PIL.ExifTags import Base

from contracts.errors import ImageTooBig, ImageUnreadable, InvalidOperation
from contracts.formats import Format
from contracts.operations.choices import Gravity
from contracts.operations.looks import Autocontrast, Blur, Grayscale
from contracts.operations.pipeline import Operation, Pipeline
from contracts.operations.shapes import Crop, Resize, Rotate
from contracts.outputs import Output
from services.imaging.engine import pipeline
from services.imaging.engine.decoding import decode
from services.imaging.engine.decoding.source import Source
from services.imaging.engine.formats import avif
from services.imaging.engine.raster.animation import Frame
from services.imaging.engine.safety.limits import Limits
from tests.imaging.animations import ANIMATED_FORMATS, DURATIONS, animation, moving_square
from tests.imaging.forged import box, chunk
from tests.imaging.forged_animations import WebpFrame, webp
from tests.imaging.pictures import SRGB, decoded, encoded, pixel, psnr, quadrants, scenery


def run(data: bytes, *steps: Operation, **output: object) -> bytes:
    asked = Pipeline(operations=steps, output=Output.model_validate(output))
    return pipeline.run(data, asked).data


def shown(data: bytes) -> list[Image.Image]:
    with decoded(data) as image:
        return [frame.convert("RGBA") for frame in ImageSequence.Iterator(image)]


def durations(data: bytes) -> list[int]:
    image = decoded(data)
    found = []
    for number in range(image.n_frames):  # type: ignore[attr-defined]
        image.seek(number)
        image.load()
        found.append(round(image.info["duration"]))
    return found


@pytest.mark.parametrize("source", ANIMATED_FORMATS)
@pytest.mark.parametrize("target", ANIMATED_FORMATS)
def test_every_frame_and_its_duration_is_kept(source: str, target: str) -> None:
    frames = moving_square()
    data = run(animation(source, frames), Resize(width=32), format=target.lower(), quality=95)

    assert durations(data) == DURATIONS
    for expected, found in zip(frames, shown(data), strict=True):
        assert found.size == (32, 24)
        small = expected.resize((32, 24), Image.Resampling.LANCZOS)
        assert psnr(found.convert("RGB"), small) > 24


@pytest.mark.parametrize("target", ANIMATED_FORMATS)
@pytest.mark.parametrize("source", ANIMATED_FORMATS)
def test_transparent_pixels_do_not_show_the_previous_frame(source: str, target: str) -> None:
    between = run(animation("PNG", moving_square(mode="RGBA")), format=source.lower(), quality=100)
    data = run(between, format=target.lower(), quality=95)

    for step, frame in enumerate(shown(data)):
        assert pixel(frame, 4 + step * 12 + 5, 13)[3] > 250
        assert pixel(frame, 60, 40)[3] == 0
        if step:
            assert pixel(frame, 8, 13)[3] == 0, "the square of the first frame"


def test_transparency_that_a_png_names_behind_its_first_frame_is_ignored() -> None:
    data = animation("PNG", moving_square())
    at = data.index(b"fcTL", data.index(b"fcTL") + 1) + 4 + 26 + 4
    ground = chunk(b"tRNS", struct.pack(">3H", 20, 90, 20))

    for frame in shown(run(data[:at] + ground + data[at:])):
        assert pixel(frame, 60, 40) == (20, 90, 20, 255)


@pytest.mark.parametrize("has_alpha", [True, False])
@pytest.mark.parametrize("clears", [True, False])
def test_a_webp_is_transparent_where_its_frames_say_so_whatever_its_header_says(
    has_alpha: bool, clears: bool
) -> None:
    part = Image.new("RGB", (10, 8), "red")
    frames = [
        WebpFrame(Image.new("RGB", (20, 16), "lime"), clears=clears),
        WebpFrame(part, (4, 4)),
        WebpFrame(part, (0, 0)),
    ]
    _, second, _ = shown(run(webp((20, 16), frames, has_alpha=has_alpha), format="png"))

    assert pixel(second, 5, 5) == (255, 0, 0, 255)
    assert pixel(second, 0, 0) == ((0, 0, 0, 0) if clears else (0, 255, 0, 255))


def test_an_opaque_webp_stays_opaque() -> None:
    frames = [
        WebpFrame(Image.new("RGB", (20, 16), colour), clears=True) for colour in ("red", "blue")
    ]

    assert decoded(run(webp((20, 16), frames, has_alpha=False))).mode == "RGB"


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_an_animated_avif_has_the_range_that_browsers_expect(mode: str) -> None:
    data = run(animation("PNG", moving_square(mode=mode)), format="avif")

    # The flag of the full range follows three numbers of two bytes.
    assert set(re.findall(rb"colrnclx.{6}(.)", data, re.DOTALL)) == {b"\0"}


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
    assert avif.loop_count(data) == plays
    for length in range(len(data)):
        avif.loop_count(data[:length])


@pytest.mark.parametrize("source", ANIMATED_FORMATS)
def test_an_animation_keeps_its_format_and_frames_by_default(source: str) -> None:
    data = animation(source, moving_square())

    assert decoded(run(data)).format == source
    assert len(shown(run(data))) == 4
    assert len(shown(run(data, animated=False))) == 1
    for format in (Format.JPEG, Format.TIFF):
        assert len(shown(run(data, format=format))) == 1


def test_the_default_image_of_an_apng_is_not_a_frame() -> None:
    poster = Image.new("RGB", (64, 48), "white")
    data = animation("PNG", [poster, *moving_square()], default_image=True)

    assert durations(run(data, format="webp", lossless=True)) == DURATIONS
    for expected, found in zip(moving_square(), shown(run(data)), strict=True):
        assert psnr(found.convert("RGB"), expected) > 60
    assert pixel(shown(run(data, format="jpeg"))[0], 5, 5)[:3] == (255, 255, 255)


def test_an_apng_of_one_frame_and_a_default_image_is_a_still() -> None:
    poster = Image.new("RGB", (64, 48), "white")
    data = animation("PNG", [poster, moving_square()[0]], default_image=True, duration=100)

    assert decode.inspect(data).frames == 1
    assert (
        decode.inspect(animation("PNG", [poster, *moving_square()], default_image=True)).frames == 4
    )
    for format in ("png", "webp"):
        found = decoded(run(data, format=format, lossless=True))
        assert not getattr(found, "is_animated", False)
        assert pixel(found, 5, 5)[:3] == (255, 255, 255)


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


def test_the_pages_of_a_tiff_are_not_an_animation() -> None:
    data = encoded(quadrants(), "TIFF", save_all=True, append_images=[quadrants()])

    assert len(shown(run(data, format="webp"))) == 1


@pytest.mark.parametrize("target", ANIMATED_FORMATS)
def test_operations_change_every_frame_and_bytes_are_reproducible(target: str) -> None:
    steps = (Crop(left=2, top=2, width=60, height=40), Rotate(degrees=90), Grayscale())
    data = animation("WEBP", moving_square())
    one, other = (run(data, *steps, format=target.lower(), quality=90) for _ in range(2))

    assert one == other
    for frame in shown(one):
        assert frame.size == (40, 60)
        red, green, blue, _ = pixel(frame, 25, 25)
        assert max(red, green, blue) - min(red, green, blue) < 12


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


def test_a_palette_and_max_bytes_apply_to_animations() -> None:
    data = animation(
        "PNG", [frame.resize((200, 150), Image.Resampling.NEAREST) for frame in moving_square()]
    )
    plain = run(data, format="webp", quality=95)
    small = run(data, format="webp", quality=95, max_bytes=len(plain) * 3 // 4)

    assert len(shown(small)) == 4
    assert len(small) <= len(plain) * 3 // 4
    assert len(shown(run(data, format="webp", quality="auto"))) == 4
    for format in ("gif", "png"):
        few = shown(run(data, format=format, palette=2))
        for frame, rich in zip(few, shown(data), strict=True):
            assert len(frame.getcolors() or []) == 2
            assert psnr(frame.convert("RGB"), rich.convert("RGB")) > 40


@pytest.mark.parametrize("target", ANIMATED_FORMATS)
def test_animations_keep_copyright_and_profile(target: str) -> None:
    exif = Image.Exif()
    exif[Base.Artist] = "Ada"
    data = animation("PNG", moving_square(), exif=exif, icc_profile=SRGB)
    result = decoded(run(data, format=target.lower(), metadata="copyright", icc="keep"))

    assert getattr(result, "n_frames", 1) == 4
    if target != "GIF":
        assert result.getexif()[Base.Artist] == "Ada"
        assert result.info["icc_profile"] == SRGB


def test_the_pixel_limit_counts_all_frames_of_a_result() -> None:
    data = animation("GIF", moving_square())
    limits = Limits(total_pixels=100_000)
    large = Pipeline(operations=(Resize(width=640, enlarge=True),))

    with pytest.raises(ImageTooBig, match="4 frames of 640 x 480"):
        pipeline.run(data, large, limits)


@pytest.mark.parametrize("source", ANIMATED_FORMATS)
def test_a_truncated_animation_is_unreadable(source: str) -> None:
    noise = [Image.effect_noise((120, 90), 50 + step).convert("RGB") for step in range(4)]
    data = animation(source, noise)

    with pytest.raises(ImageUnreadable):
        run(data[: len(data) * 7 // 10], format="webp")


def test_max_bytes_applies_operations_to_each_frame_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decode_frame, drawn = decode.decode_frame, list[int]()

    def counted(source: Source, number: int, *, keeps_profile: bool) -> Frame:
        drawn.append(number)
        return decode_frame(source, number, keeps_profile=keeps_profile)

    data = animation(
        "WEBP", [scenery(320, 240 + 20 * step).crop((0, 0, 320, 240)) for step in range(4)]
    )
    plain = run(data, Blur(radius=2), format="webp", quality=95)
    monkeypatch.setattr(decode, "decode_frame", counted)
    small = run(data, Blur(radius=2), format="webp", quality=95, max_bytes=len(plain) // 2)

    assert len(small) <= len(plain) // 2
    assert drawn == [0, 1, 2, 3]


def test_frames_are_not_held_in_memory() -> None:
    frames = [Image.new("RGB", (400, 300), (step * 2, 0, 0)) for step in range(100)]
    first, *others = frames
    gif = encoded(first, "GIF", save_all=True, append_images=others, duration=20)
    del frames, first, others
    tracemalloc.start()
    data = run(gif, format="png")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(shown(data)) == 100
    assert peak < 20_000_000, "bytes objects only, not 36 MB of frames"


def test_the_first_frame_resolves_operations_for_all_frames() -> None:
    frames = moving_square()
    dark = [frames[0], *(Image.eval(frame, lambda value: value // 2) for frame in frames[1:])]
    steps: tuple[Operation, ...] = (
        Crop(width=40, height=30, gravity=Gravity.SMART),
        Autocontrast(),
    )
    first, second, *_ = shown(run(animation("PNG", dark), *steps, format="png"))
    alone = decoded(run(encoded(frames[0], "PNG"), *steps, format="png")).convert("RGBA")

    assert psnr(first, alone) > 60
    assert max(pixel(second, 2, 28)) == 255, "opaque"
    assert pixel(second, 2, 28)[1] < pixel(first, 2, 28)[1], (
        "stretched as the first frame, so still dark"
    )
