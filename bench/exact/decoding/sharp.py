"""sharp, which is libvips, as the judge of stills."""

import json
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from PIL import Image

from bench.exact.decoding.pixels import Tolerance, seen_by_darkroom
from bench.exact.decoding.samples import Sample, samples
from bench.exact.judges import Case, Judge
from bench.exact.needs import Node

_SHARP = Node("sharp")
_LOSSLESS = Tolerance(most=1, mean=0.5)
_LOSSY = Tolerance(most=8, mean=0.5)


def judge(files: Iterable[Sample]) -> Iterator[Case]:
    """Compare how Darkroom and sharp see each file."""
    asked = list(files)
    for file, theirs in zip(asked, _seen_by_sharp(asked), strict=True):
        if isinstance(theirs, str):
            yield Case(file.name, f"sharp can't read it: {theirs}")
            continue
        tolerance = _LOSSY if file.lossy else _LOSSLESS
        yield Case(file.name, tolerance.difference(seen_by_darkroom(file.data), theirs))


def _seen_by_sharp(files: list[Sample]) -> Iterator[Image.Image | str]:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, str(number)) for number in range(len(files))]
        for path, file in zip(paths, files, strict=True):
            path.write_bytes(file.data)
        done = subprocess.run(
            ["node", _SHARP.script("decode.mjs"), *paths], check=True, capture_output=True
        )
        for path, line in zip(paths, done.stdout.splitlines(), strict=True):
            answer = json.loads(line)
            if "error" in answer:
                yield answer["error"]
            else:
                size = (answer["width"], answer["height"])
                yield Image.frombytes("RGBA", size, path.with_suffix(".rgba").read_bytes())


def _few() -> Iterator[Sample]:
    return (file for file in samples() if "orientation" in file.name)


JUDGES = (
    Judge(
        "sharp",
        "the pixels of stills, decoded by sharp (libvips)",
        run=lambda: judge(samples()),
        quick=lambda: judge(_few()),
        needs=(_SHARP,),
    ),
)
