"""Memory of a still WebP."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from services.imaging.engine.decoding.decode import decode
from services.imaging.engine.decoding.source import open_source
from services.imaging.engine.safety.limits import DEFAULT_LIMITS
from tests.imaging.pictures import encoded, scenery
from tests.processes import ROOT

SIDE = 2000  # pixels
MAX_BYTES_A_PIXEL = 14  # two canvases of the decoder and a copy are 12; with the image, 16

PEAK = """
import sys
from pathlib import Path
from tests.imaging.pictures import encoded, scenery
from services.imaging.engine.decoding.decode import decode
from services.imaging.engine.decoding.source import open_source
from services.imaging.engine.safety.limits import DEFAULT_LIMITS

def kibibytes(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name + ":"))

# The first decoding imports modules and allocates tables, which are no part of the peak.
decode(open_source(encoded(scenery(16, 16), "WEBP", lossless=True), DEFAULT_LIMITS))
data = sys.stdin.buffer.read()
Path("/proc/self/clear_refs").write_text("5")
before = kibibytes("VmRSS")
decode(open_source(data, DEFAULT_LIMITS))
print(1024 * (kibibytes("VmHWM") - before))
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs /proc")
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_the_decoder_ends_before_the_pixels_are_an_image(mode: str) -> None:
    data = encoded(Image.new(mode, (SIDE, SIDE), "teal"), "WEBP", lossless=True, method=0)
    run = subprocess.run(
        [sys.executable, "-c", PEAK], input=data, capture_output=True, cwd=ROOT, check=True
    )
    assert int(run.stdout) < MAX_BYTES_A_PIXEL * SIDE * SIDE


def test_a_still_is_decoded_once_and_stays() -> None:
    picture = scenery(200, 160)
    source = open_source(encoded(picture, "WEBP", lossless=True), DEFAULT_LIMITS)
    first = decode(source).image.tobytes()
    source.image.seek(0)
    assert first == decode(source).image.tobytes() == picture.tobytes()
