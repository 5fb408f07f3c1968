"""Encoders without memory: a MemoryError, and neither a crash nor an error without a name."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import ROOT

SHORT = """
import sys
from PIL import Image
from contracts.formats import Format
from services.imaging.engine.encoding.encode import Encoding, encode
from tests.imaging.engine.short_of_memory import print_endings

image = Image.effect_noise((1000, 800), 60).convert(sys.argv[1])
encode(image.resize((8, 8)), Encoding(Format.AVIF), quality=80)
print_endings(lambda: encode(image, Encoding(Format.AVIF), quality=80), range(4, 84, 8))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_an_avif_without_memory_is_a_memory_error(mode: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", SHORT, mode], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert set(run.stdout.split()) == {"0", "1"}
