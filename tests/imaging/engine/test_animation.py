"""Animations: frames, durations, plays and transparency, from each format to each other."""

import re
import struct
import tracemalloc

import pytest
from PIL import Image
from PIL.ExifTags import Base

from contracts.errors import ImageTooBig, ImageUnreadable
from contracts.formats import Format
from contracts.operations.choices import Gravity
from contracts.operations.looks import Autocontrast, Blur, Grayscale
from contracts.operations.pipeline import Operation, Pipeline
from contracts.operations.shapes import Crop, Resize, Rotate
from services.imaging.engine import pipeline
from services.imaging.engine.decoding import decode
from services.imaging.engine.decoding.source import Source
from services.imaging.engine.raster.animation import Frame
from services.imaging.engine.safety.limits import Limits
from tests.imaging.animations import ANIMATED_FORMATS, DURATIONS, animation, moving_square
from tests.imaging.engine.animated import durations, run, shown
from tests.imaging.forged import chunk
from tests.imaging.forged_animations import WebpFrame, webp
from tests.imaging.pictures import SRGB, decoded, encoded, pixel, psnr, quadrants, scenery


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
