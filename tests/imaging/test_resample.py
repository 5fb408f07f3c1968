"""The two resize kernels: each on its own, and that they agree."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from contracts.shapes import Filter
from services.imaging import vips
from services.imaging.geometry import Box, Size
from services.imaging.resample import resample
from tests.imaging.pictures import psnr, scenery

WORK_MODES = ("L", "LA", "RGB", "RGBA")
LARGE = scenery(1301, 903)

installed = pytest.mark.skipif(not vips.is_installed(), reason="libvips is an extra")


def pillows(image: Image.Image, size: Size, box: Box) -> Image.Image:
    return image.resize(size, Image.Resampling.LANCZOS, box)


def test_growing_one_way_and_shrinking_the_other_is_a_plain_resize() -> None:
    image = scenery(100, 300)
    plain = image.resize((200, 50), Image.Resampling.LANCZOS)

    assert psnr(resample(image, (200, 50), (0, 0, 100, 300)), plain) > 40


def test_whole_pixels_that_keep_their_size_are_only_cut_out() -> None:
    image = scenery(300, 200)
    box = (40, 30, 240, 130)

    assert resample(image, (200, 100), box).tobytes() == image.crop(box).tobytes()
    assert resample(image, (300, 200), (0, 0, 300, 200)) is image


@given(
    low=st.floats(0, 5000),
    step=st.floats(1, 6, exclude_max=True),
    size=st.integers(1, 2000),
)
def test_a_window_puts_every_pixel_where_the_box_has_it(low: float, step: float, size: int) -> None:
    high = low + step * size
    found = vips.window(low, high, size)
    if found is None:
        return
    # As libvips: what it makes is centred on what it is given.
    middle = found.start + found.length / 2
    first = middle + (found.skip + 0.5 - found.whole / 2) * found.step

    assert found.step == pytest.approx(step)
    assert first == pytest.approx(low + step / 2, abs=1 / 64 + 1e-6)
    assert found.skip + size + 3 <= found.whole <= size + 144
    assert int(found.length / found.step + 0.5) == found.whole


@installed
@pytest.mark.parametrize("mode", WORK_MODES)
@pytest.mark.parametrize(
    ("size", "box"),
    [
        ((640, 444), (0, 0, 1301, 903)),
        ((1301, 400), (0, 0, 1301, 903)),
        ((1300, 902), (0, 0, 1301, 903)),
        ((300, 200), (0.5, 0.5, 1300.5, 902.75)),
        ((500, 311), (113.37, 70.21, 1190.02, 811.9)),
        ((250, 170), (0, 0, 1300.25, 902.5)),
        ((400, 400), (199, 0, 1102, 903)),
        ((200, 400), (1301 - 451.5, 0, 1301, 903)),
    ],
)
def test_libvips_gives_what_pillow_gives(size: Size, box: Box, mode: str) -> None:
    image = LARGE.convert(mode)
    if mode.endswith("A"):
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    found = vips.shrink(image, size, box)

    assert found is not None
    assert (found.mode, found.size) == (mode, size)
    plain = pillows(image, size, box)
    weighed = {"LA": "La", "RGBA": "RGBa"}.get(mode, mode)
    assert psnr(found.convert(weighed), plain.convert(weighed)) > 48
    if mode in ("RGB", "RGBA"):
        assert resample(image, size, box).tobytes() == found.tobytes()


@installed
@settings(max_examples=30, deadline=None)
@given(
    left=st.floats(0, 400),
    upper=st.floats(0, 300),
    width=st.floats(500, 900),
    height=st.floats(450, 600),
    across=st.floats(1, 5.9),
    down=st.floats(1, 5.9),
)
def test_any_part_at_any_size_is_as_pillow_has_it(
    left: float, upper: float, width: float, height: float, across: float, down: float
) -> None:
    size = max(1, int(width / across)), max(1, int(height / down))
    box = (left, upper, left + width, upper + height)
    found = resample(LARGE, size, box)

    assert found.size == size
    assert psnr(found, pillows(LARGE, size, box)) > 44


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_what_is_transparent_lends_no_colour(mode: str) -> None:
    image = Image.new("RGBA", (800, 800), (255, 255, 255, 0))
    image.paste((0, 0, 0, 255), (0, 0, 401, 800))
    result = resample(image.convert(mode), (301, 301), (0, 0, 800, 800))

    *colours, alpha = (band.tobytes() for band in result.split())
    for colour in colours:
        assert all(value < 24 for value, opacity in zip(colour, alpha, strict=True) if opacity > 32)


@installed
def test_only_lanczos_is_libvips_and_only_where_it_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(vips, "shrink", lambda *args: asked.append(args))
    for size, filter in (
        ((640, 444), Filter.BICUBIC),
        ((1400, 444), Filter.LANCZOS),
        ((200, 140), Filter.LANCZOS),
    ):
        resample(LARGE, size, (0, 0, 1301, 903), filter)
    resample(LARGE, (100, 100), (0, 0, 300, 300))
    resample(LARGE.convert("L"), (640, 444), (0, 0, 1301, 903))
    assert not asked
    resample(LARGE, (640, 444), (0, 0, 1301, 903))
    assert len(asked) == 1


def test_without_libvips_there_is_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vips, "_pyvips", lambda: None)
    box = (0, 0, 1301, 903)

    assert resample(LARGE, (640, 444), box).tobytes() == pillows(LARGE, (640, 444), box).tobytes()


@installed
def test_the_same_question_has_the_same_pixels() -> None:
    answers = {resample(LARGE, (700, 500), (0, 0, 1300.5, 902.5)).tobytes() for _ in range(5)}

    assert len(answers) == 1


SHORT = """
import resource, sys
from PIL import Image
from services.imaging import vips
assert vips.is_installed()
image = Image.new("RGB", (3000, 2000))
with open("/proc/self/statm") as statm:
    taken = int(statm.read().split()[0]) * resource.getpagesize()
allowed = taken + (int(sys.argv[1]) << 20)
resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))
try:
    vips.shrink(image, (1500, 1000), (0, 0, 3000, 2000))
except MemoryError:
    print("short")
else:
    print("enough")
"""


@installed
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
@pytest.mark.parametrize(
    ("mebibytes", "said"), [(1, "short"), (40, "short"), (99, "short"), (300, "enough")]
)
def test_memory_that_runs_out_ends_no_process(mebibytes: int, said: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", SHORT, str(mebibytes)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )

    assert (run.returncode, run.stdout.strip()) == (0, said), run.stderr
