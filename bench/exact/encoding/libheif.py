"""libheif, as it is built for Node.js, as a reader of what Darkroom writes as HEIF."""

import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from bench.exact.decoding.verdicts import Seen
from bench.exact.encoding.renditions import Rendition, cases, installed, renditions
from bench.exact.judges import Case, Judge
from bench.exact.needs import Node
from contracts.formats import Format

_LIBHEIF = Node("libheif")


def _pixels() -> Iterator[Case]:
    written = list(renditions(*installed(Format.HEIF)))
    return cases(written, _seen(written))


def _seen(written: Sequence[Rendition]) -> Iterator[Seen]:
    with tempfile.TemporaryDirectory() as folder:
        for number, one in enumerate(written):
            Path(folder, str(number)).write_bytes(one.data)
        done = subprocess.run(
            ["node", _LIBHEIF.script("decode.mjs"), folder, str(len(written))],
            check=True,
            capture_output=True,
        )
        for number, line in enumerate(done.stdout.splitlines()):
            answer = json.loads(line)
            if "error" in answer:
                yield answer["error"]
            else:
                size = (answer["width"], answer["height"])
                yield Image.frombytes("RGBA", size, Path(folder, f"{number}.rgba").read_bytes())


JUDGES = (
    Judge(
        "libheif as reader",
        "HEIF results, read by libheif's build for Node.js",
        run=_pixels,
        needs=(_LIBHEIF,),
    ),
)
