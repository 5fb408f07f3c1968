"""FFmpeg, whose HEVC decoder is its own, as the judge of HEIF's colours."""

import json
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from PIL import Image

from bench.exact.decoding.pixels import Tolerance, seen_by_darkroom
from bench.exact.judges import Case, Judge
from bench.exact.needs import Python
from bench.exact.pictures.every import few_stills, stills, stills_of
from bench.exact.pictures.scene import Picture
from contracts.formats import Format

_FFMPEG = Python("exact-ffmpeg")
_SCRIPT = Path(__file__).with_name("ffmpeg_frames.py")
_TOLERANCE = Tolerance(most=3, mean=1)


def _cases(pictures: Iterable[Picture]) -> Iterator[Case]:
    known = stills_of(pictures, Format.HEIF)
    for (name, data), theirs in zip(known, _seen_by_ffmpeg(known), strict=True):
        ours = seen_by_darkroom(data).convert("RGB").convert("RGBA")
        # FFmpeg leaves the coded size, which is a multiple of the blocks' size, and has no alpha.
        shown = theirs.crop((0, 0, *ours.size)).convert("RGBA")
        yield Case(name, _TOLERANCE.difference(ours, shown))


def _seen_by_ffmpeg(pictures: Iterable[Picture]) -> Iterator[Image.Image]:
    with tempfile.TemporaryDirectory() as folder:
        count = 0
        for _, data in pictures:
            (Path(folder) / str(count)).write_bytes(data)
            count += 1
        command = [str(_FFMPEG.interpreter), str(_SCRIPT), folder, str(count)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        for number, line in enumerate(done.stdout.splitlines()):
            pixels = (Path(folder) / f"{number}.rgb").read_bytes()
            yield Image.frombytes("RGB", tuple(json.loads(line)), pixels)


JUDGES = (
    Judge(
        "FFmpeg",
        "the colours of HEIF, decoded by FFmpeg",
        run=lambda: _cases(stills()),
        quick=lambda: _cases(few_stills()),
        needs=(_FFMPEG,),
    ),
)
