"""`make bench-srcset`: five sizes of one image at once, as a page's `srcset` may ask for.

Each source is asked for in three ways: all sizes at once, one after another, and the largest alone.
It takes about half a minute.
"""

import argparse
import io
import json
import re
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from itertools import count
from statistics import median
from typing import NamedTuple

from PIL import Image

from bench.command_line import add_rounds, progress
from bench.imaging.load import TIMEOUT, Request, UnexpectedStatus, fetch
from bench.imaging.photographs import FOLDER, Photograph
from bench.imaging.srcset_report import Figures, Report
from bench.imaging.systems.darkroom import NO_CACHE, services
from bench.processes import cpu_of, machine_time

WIDTHS = (320, 640, 960, 1280, 1920)
SIX, TWENTY_FOUR = Photograph("six.jpg", (3000, 2000)), Photograph("twenty-four.jpg", (6000, 4000))
SOURCES = ((SIX, "JPEG"), (TWENTY_FOUR, "JPEG"), (SIX, "PNG"), (SIX, "WEBP"))

_DECODING = re.compile(r"decode;dur=([\d.]+)")
_numbers = count()


class Round(NamedTuple):
    """Figures of one round, as those of `Figures`."""

    wall: float
    cpu: float
    decoding: float
    others: float


@dataclass(frozen=True)
class Suite:
    """The running services: the gateway's port, and a process id of each."""

    port: int
    processes: Sequence[int]

    def upload(self, image: bytes) -> str:
        """Store a copy of an image that differs from all others, and return its id."""
        copy = image + b"%08d" % next(_numbers)
        return str(json.loads(fetch(self.port, Request("POST", "/v1/images", copy)))["id"])

    def decoding(self, image: str, width: int) -> float:
        """Render an uploaded image; return the milliseconds of its decoding."""
        path = f"/v1/images/{image}/render?op=resize:width={width}&format=webp&quality=80"
        connection = HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        connection.request("GET", path, headers=NO_CACHE)
        response = connection.getresponse()
        response.read()
        connection.close()
        if response.status != 200:
            raise UnexpectedStatus(f"{response.status} {response.reason}")
        return float(_DECODING.findall(response.headers["Server-Timing"])[0])

    def measure(self, render: Callable[[], list[float]]) -> Round:
        """Return the figures of renders, of which `render` returns the times of decoding."""
        used, machine, began = self._used(), machine_time(), time.perf_counter()
        decoding = render()
        wall = time.perf_counter() - began
        machine, (suite, client) = machine_time() - machine, self._used()
        suite, client = suite - used[0], client - used[1]
        others = max(0.0, machine - suite - client) / wall
        return Round(1000 * wall, 1000 * suite, sum(decoding), others)

    def _used(self) -> tuple[float, float]:
        """Return the seconds of CPU that the suite and this process have used."""
        return cpu_of(self.processes), time.process_time()


def at_once(suite: Suite, image: bytes) -> Round:
    """Measure all sizes of one copy, over a connection for each."""
    source = suite.upload(image)
    with ThreadPoolExecutor(len(WIDTHS)) as threads:
        return suite.measure(lambda: list(threads.map(partial(suite.decoding, source), WIDTHS)))


def one_by_one(suite: Suite, image: bytes, widths: Sequence[int]) -> Round:
    """Measure sizes one after another, each of a copy of its own."""
    sources = [(suite.upload(image), width) for width in widths]
    return suite.measure(lambda: [suite.decoding(*one) for one in sources])


WAYS: dict[str, Callable[[Suite, bytes], Round]] = {
    "five sizes at once": at_once,
    "one after another": partial(one_by_one, widths=WIDTHS),
    "the largest alone": partial(one_by_one, widths=WIDTHS[-1:]),
}


def read(photo: Photograph, format: str) -> bytes:
    """Return a photograph in a format; make its file at the first call."""
    data = photo.read()
    path = FOLDER / f"{photo.name}.{format.lower()}"
    if format == "JPEG":
        return data
    if not path.exists():
        buffer = io.BytesIO()
        Image.open(io.BytesIO(data)).save(buffer, format, quality=90)
        path.write_bytes(buffer.getvalue())
    return path.read_bytes()


def main() -> None:
    """Measure, print the tables, and write their files unless `--no-write` is given."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    options = read_options()
    images = [(photo, format, read(photo, format)) for photo, format in SOURCES]
    cells: list[Figures] = []
    with services() as (gateway, _, processes):
        suite = Suite(int(gateway.url.rpartition(":")[2]), list(processes.values()))
        for photo, format, image in images:
            progress(f"{photo.name} as {format}: {len(image) / 1000:,.0f} kB")
            rounds = defaultdict[str, list[Round]](list)
            for number in range(options.rounds):
                for name in list(WAYS)[:: -1 if number % 2 else 1]:
                    rounds[name].append(WAYS[name](suite, image))
            title = f"{format}, {photo.megapixels:.0f} megapixels"
            cells += [
                Figures(
                    title, name, *(median(column) for column in zip(*rounds[name], strict=True))
                )
                for name in WAYS
            ]
    report = Report(cells, options.rounds)
    sys.stdout.write(report.markdown())
    if options.write:
        report.write()


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.imaging.srcset", description=__doc__)
    add_rounds(parser, rounds=5)
    return parser.parse_args()


if __name__ == "__main__":
    main()
