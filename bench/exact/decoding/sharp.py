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
from bench.exact.needs import Node
from bench.exact.pictures.every import stills_of
from bench.exact.pictures.scene import Picture
from contracts.formats import Format

_SHARP = Node("sharp")
# Its packages have no decoder for HEIF and JPEG XL.
_FORMATS = (Format.JPEG, Format.PNG, Format.GIF, Format.WEBP, Format.TIFF, Format.AVIF)
_TOLERANCES = {
    Format.JPEG: Tolerance(most=4, mean=0.5),
    Format.WEBP: Tolerance(most=1, mean=0.1),
    Format.AVIF: Tolerance(most=3, mean=0.5),
    Format.TIFF: Tolerance(most=4, mean=0.5),
}


def seen_by_sharp(pictures: Iterable[Picture]) -> Iterator[Seen]:
    """Yield the pixels of each file, upright and in sRGB."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, (_, data) in enumerate(pictures):
            paths.append(Path(folder, str(number)))
            paths[-1].write_bytes(data)
        done = subprocess.run(
            ["node", _SHARP.script("decode.mjs"), folder, str(len(paths))],
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


def _cases(*, quick: bool = False) -> Iterator[Case]:
    pictures = stills_of(*_FORMATS, quick=quick)
    return cases(pictures, seen_by_sharp(pictures), _TOLERANCES)


JUDGES = (
    Judge(
        "sharp",
        "the pixels of stills, decoded by sharp (libvips)",
        run=_cases,
        quick=lambda: _cases(quick=True),
        needs=(_SHARP,),
    ),
)
