"""High dynamic range mapped to sRGB, by figures of BT.2100, BT.2408 and SMPTE ST 2094-50."""

import pytest
from PIL import Image

from services.imaging.engine.raster.colour_spaces import (
    BT_709,
    BT_2020,
    HLG,
    PQ,
    PRIMARIES,
    Primaries,
)
from services.imaging.engine.raster.hdr import Hdr
from services.imaging.engine.raster.profiles import keep_colours, to_srgb
from tests.imaging.pictures import pixel

# Report ITU-R BT.2408, table 1: samples of diffuse white, 203 cd/m2, are 58 % in PQ, 75 % in HLG.
WHITE = {PQ: 148, HLG: 191}


def seen(
    colour: tuple[int, int, int],
    transfer: int = PQ,
    primaries: Primaries = BT_2020,
    peak: float = 1000,
) -> tuple[int, ...]:
    return pixel(to_srgb(Image.new("RGB", (1, 1), colour), _hdr(transfer, primaries, peak)), 0, 0)


def _hdr(transfer: int, primaries: Primaries = BT_2020, peak: float = 1000) -> Hdr:
    return Hdr("test", primaries, transfer, peak)


@pytest.mark.parametrize("transfer", [PQ, HLG])
@pytest.mark.parametrize("primaries", [BT_2020, BT_709, PRIMARIES[12]])
def test_diffuse_white_becomes_half_of_the_light(transfer: int, primaries: Primaries) -> None:
    # For a peak of 1,000 cd/m2; half of the light of white is 188 in sRGB.
    white = WHITE[transfer]
    assert seen((white, white, white), transfer, primaries) == pytest.approx((188,) * 3, abs=3)
    assert seen((0, 0, 0), transfer, primaries) == (0, 0, 0)
    assert seen((255, 255, 255), transfer, primaries) == (255, 255, 255)


def test_the_peak_and_all_above_become_white() -> None:
    # 1,000 cd/m2 are 0.7518 in PQ (BT.2408), 300 are 0.6219.
    assert seen((192, 192, 192)) == pytest.approx((255,) * 3, abs=1)
    assert max(seen((180, 180, 180))) < 250
    assert seen((159, 159, 159), peak=300) == pytest.approx((255,) * 3, abs=1)
    assert seen((148, 148, 148), peak=100) == pytest.approx((255,) * 3, abs=1), "nothing to map"


def test_a_higher_peak_keeps_more_of_the_highlights_apart() -> None:
    ramp = Image.linear_gradient("L").convert("RGB")
    result = to_srgb(ramp, _hdr(PQ, peak=4000))
    tones = [pixel(result, 0, code)[0] for code in range(150, 230)]

    assert tones == sorted(tones)
    assert len(set(tones)) > 40
    assert tones[-1] == pytest.approx(255, abs=2)


# Seen in Chromium 156, whose tone mapping is the same.
@pytest.mark.parametrize(
    ("transfer", "colour", "shown"),
    [
        (PQ, (204, 0, 255), (120, 0, 255)),
        (PQ, (0, 153, 102), (0, 212, 46)),
        (PQ, (102, 0, 0), (102, 0, 0)),
        (HLG, (153, 0, 0), (141, 0, 0)),
        (HLG, (51, 102, 153), (0, 79, 119)),
    ],
)
def test_colours_are_those_that_a_browser_shows(
    transfer: int, colour: tuple[int, int, int], shown: tuple[int, int, int]
) -> None:
    assert seen(colour, transfer) == pytest.approx(shown, abs=5)


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA"])
def test_modes_and_alpha_stay(mode: str) -> None:
    image = Image.new("RGBA", (2, 1), (148, 148, 148, 99)).convert(mode)
    result, profile = keep_colours(image, _hdr(PQ))

    assert result.mode == mode
    assert pixel(result, 0, 0)[0] == pytest.approx(188, abs=2)
    assert pixel(result, 1, 0)[-1] == (99 if "A" in mode else pixel(result, 0, 0)[0])
    assert profile == b"", "no profile describes what is left"
