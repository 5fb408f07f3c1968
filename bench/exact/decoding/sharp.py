"""sharp, which is libvips, as the judge of stills."""

import json
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from PIL import Image

from bench.exact.decoding.pixels import Tolerance
from bench.exact.decoding.verdicts import Seen, cases
from bench.exact.judges import Case, Judge
from bench.exact.needs import SHARP
from bench.exact.pictures import deep_avif
from bench.exact.pictures.every import few_stills, stills, stills_of
from bench.exact.pictures.packaged import PACKAGED
from bench.exact.pictures.scene import Picture
from contracts.formats import Format

# Its packages have no decoder for HEIF and JPEG XL.
_FORMATS = (Format.JPEG, Format.PNG, Format.GIF, Format.WEBP, Format.TIFF, Format.AVIF)
_TOLERANCES = {
    Format.JPEG: Tolerance(most=4, mean=0.5),
    Format.WEBP: Tolerance(most=1, mean=0.1),
    Format.AVIF: Tolerance(most=3, mean=0.5),
    Format.TIFF: Tolerance(most=4, mean=1),
}


def seen_by_sharp(pictures: Iterable[Picture]) -> Iterator[Seen]:
    """Yield the pixels of each file, upright and in sRGB."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, (_, data) in enumerate(pictures):
            paths.append(Path(folder, str(number)))
            paths[-1].write_bytes(data)
        done = subprocess.run(
            ["node", SHARP.script("decode.mjs"), folder, str(len(paths))],
            check=True,
            capture_output=True,
        )
        for path, line in zip(paths, done.stdout.splitlines(), strict=True):
            answer = json.loads(line)
            if "error" in answer:
                yield answer["error"]
            else:
                size = (answer["width"], answer["height"])
                yield Image.frombytes("RGBA", size, path.with_suffix(".rgba").read_bytes())


def _cases(pictures: Iterable[Picture]) -> Iterator[Case]:
    known = stills_of(pictures, *_FORMATS)
    return cases(known, seen_by_sharp(known), _TOLERANCES)


JUDGES = (
    Judge(
        "sharp",
        "the pixels of stills, decoded by sharp (libvips)",
        run=lambda: _cases([*stills(), *deep_avif.stills()]),
        quick=lambda: _cases(few_stills()),
        needs=(SHARP,),
    ),
    Judge(
        "sharp: packages",
        "the test pictures of Pillow and pillow-heif, decoded by sharp",
        run=lambda: _cases(PACKAGED.stills()),
        needs=(SHARP, PACKAGED),
    ),
)
