"""Resampling by Pillow and by fast_image_resize: each alone, and their agreement."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from contracts.operations.choices import Filter
from contracts.operations.sizes import Box, Size
from services.imaging.engine.raster import resample as resample_module
from services.imaging.engine.raster import simd
from services.imaging.engine.raster.alpha import premultiply
from services.imaging.engine.raster.resample import resample
from tests.imaging.pictures import WORK_MODES, psnr, scenery
from tests.processes import ROOT

LARGE = scenery(1301, 903)

# Not simd.is_installed(), which is also false if the package disagrees with Pillow.
installed = pytest.mark.skipif(
    find_spec("cykooz_resizer") is None, reason="the resampler is an extra"
)

PILLOWS = {
    Filter.BOX: Image.Resampling.BOX,
    Filter.BILINEAR: Image.Resampling.BILINEAR,
    Filter.BICUBIC: Image.Resampling.BICUBIC,
    Filter.LANCZOS: Image.Resampling.LANCZOS,
}


def pillow_resize(
    image: Image.Image, size: Size, box: Box, filter: Filter = Filter.LANCZOS
) -> Image.Image:
    return image.resize(size, PILLOWS[filter], box)


@pytest.mark.parametrize("size", [(200, 50), (50, 600)])
def test_enlarging_one_axis_and_shrinking_the_other_equals_one_resize(size: Size) -> None:
    image = scenery(100, 300)
    plain = image.resize(size, Image.Resampling.LANCZOS)

    assert psnr(resample(image, size, (0, 0, 100, 300)), plain) > 40


def test_a_box_of_whole_pixels_at_its_size_is_copied() -> None:
    image = scenery(300, 200)
    box = (40, 30, 240, 130)

    assert resample(image, (200, 100), box).tobytes() == image.crop(box).tobytes()
    assert resample(image, (300, 200), (0, 0, 300, 200)) is image


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
        ((60, 41), (0, 0, 1301, 903)),
        ((1700, 1200), (100.5, 70.25, 1100, 800)),
        ((900, 100), (0, 0, 801.5, 903)),
    ],
)
def test_both_packages_give_the_same_pixels(size: Size, box: Box, mode: str) -> None:
    image = LARGE.convert(mode)
    if mode.endswith("A"):
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    found = simd.resize(image, size, box, Filter.LANCZOS)

    assert (found.mode, found.size) == (mode, size)
    plain = pillow_resize(image, size, box)
    assert psnr(premultiply(found), premultiply(plain)) > 48


@installed
@pytest.mark.parametrize("filter", PILLOWS)
def test_both_packages_have_the_same_filters(filter: Filter) -> None:
    box = (0.25, 0, 1300.5, 903)
    found = resample(LARGE, (500, 350), box, filter)

    assert found.tobytes() == simd.resize(LARGE, (500, 350), box, filter).tobytes()
    assert psnr(found, pillow_resize(LARGE, (500, 350), box, filter)) > 50
    others = (resample(LARGE, (500, 350), box, other) for other in PILLOWS if other is not filter)
    assert all(psnr(found, other) < 50 for other in others)


@installed
@settings(max_examples=50, deadline=None)
@given(
    left=st.floats(0, 400),
    upper=st.floats(0, 300),
    right=st.floats(500, 1301),
    lower=st.floats(450, 903),
    across=st.floats(0.5, 40),
    down=st.floats(0.5, 40),
)
def test_any_box_at_any_size_equals_pillows(
    left: float, upper: float, right: float, lower: float, across: float, down: float
) -> None:
    size = max(1, int((right - left) / across)), max(1, int((lower - upper) / down))
    box = (left, upper, right, lower)
    found = resample(LARGE, size, box)

    assert found.size == size
    assert psnr(found, pillow_resize(LARGE, size, box)) > 44


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparent_pixels_spread_no_colour(mode: str) -> None:
    image = Image.new("RGBA", (800, 800), (255, 255, 255, 0))
    image.paste((0, 0, 0, 255), (0, 0, 401, 800))
    result = resample(image.convert(mode), (301, 301), (0, 0, 800, 800))

    *colours, alpha = (band.tobytes() for band in result.split())
    for colour in colours:
        assert all(value < 24 for value, opacity in zip(colour, alpha, strict=True) if opacity > 32)


@pytest.mark.parametrize("filter", [Filter.NEAREST, Filter.HAMMING])
def test_other_filters_are_pillows(filter: Filter) -> None:
    plain = {Filter.NEAREST: Image.Resampling.NEAREST, Filter.HAMMING: Image.Resampling.HAMMING}
    box = (0, 0, 1301, 903)

    found = resample(LARGE, (640, 444), box, filter)
    assert found.tobytes() == LARGE.resize((640, 444), plain[filter], box).tobytes()


def test_without_the_package_pillow_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simd, "_package", lambda: None)
    box = (0, 0, 1301, 903)

    assert (
        resample(LARGE, (640, 444), box).tobytes()
        == pillow_resize(LARGE, (640, 444), box).tobytes()
    )


class Broken:
    """A resizer that reads other memory than Pillow's pixels, in one mode."""

    mode = "L"

    def resize_pil(self, image: Image.Image, result: Image.Image, options: object) -> None:
        plain = image.resize(result.size, Image.Resampling.LANCZOS, (1.5, 0.25, 251.0, 255.75))
        result.paste(0 if image.mode == self.mode else plain, (0, 0, *result.size))


class BrokenInColour(Broken):
    mode = "RGB"


class Raises:
    def resize_pil(self, *_: object) -> None:
        raise AttributeError("Pillow has no such thing any more.")


@installed
@pytest.mark.parametrize("resizer", [Broken, BrokenInColour, Raises])
def test_a_package_that_misreads_pillows_memory_is_not_used(
    monkeypatch: pytest.MonkeyPatch, resizer: type
) -> None:
    import cykooz_resizer

    monkeypatch.setattr(simd, "_package", simd._package.__wrapped__)
    assert simd.is_installed()
    monkeypatch.setattr(cykooz_resizer, "Resizer", resizer)
    assert not simd.is_installed()


@installed
@pytest.mark.parametrize("mode", WORK_MODES)
@pytest.mark.parametrize("filter", PILLOWS)
def test_every_instruction_set_gives_the_same_pixels(
    monkeypatch: pytest.MonkeyPatch, mode: str, filter: Filter
) -> None:
    import cykooz_resizer

    plainest = cykooz_resizer.Resizer()
    plainest.cpu_extensions = cykooz_resizer.CpuExtensions.none
    image, box = LARGE.convert(mode), (0, 0, 1300.5, 902.5)
    fast = resample(image, (700, 500), box, filter)
    monkeypatch.setattr(cykooz_resizer, "Resizer", lambda: plainest)

    assert resample(image, (700, 500), box, filter).tobytes() == fast.tobytes()


@pytest.mark.parametrize(("size", "between"), [((900, 10), (300, 10)), ((10, 900), (10, 200))])
def test_the_image_between_two_passes_is_no_larger_than_both_ends(
    monkeypatch: pytest.MonkeyPatch, size: Size, between: Size
) -> None:
    asked: list[Size] = []
    kept = resample_module._resize

    def noted(image: Image.Image, size: Size, box: Box, filter: Filter) -> Image.Image:
        asked.append(size)
        return kept(image, size, box, filter)

    monkeypatch.setattr(resample_module, "_resize", noted)
    resample(scenery(300, 200), size, (0, 0, 300, 200))

    assert asked == [between, size]


@pytest.mark.parametrize("mode", WORK_MODES)
@pytest.mark.parametrize("filter", PILLOWS)
def test_an_image_reduced_to_a_pixel_keeps_its_tone(mode: str, filter: Filter) -> None:
    image = Image.new("RGB", (40_000, 3), (200, 100, 50)).convert(mode)
    [colour] = {colour for _, colour in image.getcolors() or ()}
    found = resample(image, (1, 1), (0, 0, 40_000, 3), filter).getpixel((0, 0))

    assert found == colour


SHORT = """
import sys
from PIL import Image
from contracts.operations.choices import Filter
from services.imaging.engine.raster import simd
from tests.imaging.engine.short_of_memory import print_endings

assert simd.is_installed()
image, box = Image.new(sys.argv[1], (1000, 1000)), (0, 0, 1000, 1000)
for size in [(2000, 2000), (10, 2000), (2000, 10), (500, 400)]:
    print_endings(lambda: simd.resize(image, size, box, Filter.LANCZOS), range(48))
    print("end")
"""


@pytest.mark.slow
@installed
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
@pytest.mark.parametrize("mode", WORK_MODES)
def test_out_of_memory_does_not_abort_the_process(mode: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", SHORT, mode],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
        timeout=50,
    )
    *sizes, last = run.stdout.split("end\n")

    assert (len(sizes), last) == (4, "")
    for endings in sizes:
        codes = [int(line) for line in endings.split()]
        assert codes == sorted(codes, reverse=True), "fails with little memory, succeeds with more"
        assert {codes[0], codes[-1]} == {1, 0}
