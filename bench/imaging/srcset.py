"""`python -m bench.imaging.srcset`: five sizes of one image at once, as the sizes of a `srcset`.

Each source is asked for in three ways: all sizes at once, over a connection for each; all sizes one
after another, each of a copy of its own, so that no two share anything; and the largest size
alone. A figure is the median of the rounds: milliseconds until the last answer, of CPU of the
whole suite, and of decoding by the clock, added up. It takes about 20 seconds.
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

from PIL import Image

from bench.command_line import progress
from bench.imaging.load import TIMEOUT, Request, UnexpectedStatus, fetch
from bench.imaging.photographs import FOLDER, Photograph
from bench.imaging.systems.darkroom import NO_CACHE, services
from bench.markdown import header, machine, row
from bench.processes import cpu_of

WIDTHS = (320, 640, 960, 1280, 1920)
SIX, TWENTY_FOUR = Photograph("six.jpg", (3000, 2000)), Photograph("twenty-four.jpg", (6000, 4000))
SOURCES = ((SIX, "JPEG"), (TWENTY_FOUR, "JPEG"), (SIX, "PNG"), (SIX, "WEBP"))

_DECODING = re.compile(r"decode;dur=([\d.]+)")
_numbers = count()


@dataclass(frozen=True)
class Figures:
    """Milliseconds of one round."""

    wall: float
    cpu: float
    decoding: float


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

    def measure(self, render: Callable[[], list[float]]) -> Figures:
        """Return the figures of renders, of which `render` returns the times of decoding."""
        cpu, began = cpu_of(self.processes), time.perf_counter()
        decoding = render()
        wall = time.perf_counter() - began
        return Figures(1000 * wall, 1000 * (cpu_of(self.processes) - cpu), sum(decoding))


def at_once(suite: Suite, image: bytes) -> Figures:
    """Measure all sizes of one copy, over a connection for each."""
    source = suite.upload(image)
    with ThreadPoolExecutor(len(WIDTHS)) as threads:
        return suite.measure(lambda: list(threads.map(partial(suite.decoding, source), WIDTHS)))


def one_by_one(suite: Suite, image: bytes, widths: Sequence[int]) -> Figures:
    """Measure sizes one after another, each of a copy of its own."""
    sources = [(suite.upload(image), width) for width in widths]
    return suite.measure(lambda: [suite.decoding(*one) for one in sources])


WAYS: dict[str, Callable[[Suite, bytes], Figures]] = {
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
    """Measure, and print a table for each source."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    parser = argparse.ArgumentParser(prog="bench.imaging.srcset", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds to measure")
    rounds: int = parser.parse_args().rounds
    images = [(photo, format, read(photo, format)) for photo, format in SOURCES]
    sys.stdout.write(machine("pillow") + "\n")
    with services() as (gateway, _, processes):
        suite = Suite(int(gateway.url.rpartition(":")[2]), list(processes.values()))
        for photo, format, image in images:
            progress(f"{photo.name} as {format}: {len(image) / 1000:,.0f} kB")
            found = defaultdict[str, list[Figures]](list)
            for _ in range(rounds):
                for name, measure in WAYS.items():
                    found[name].append(measure(suite, image))
            sys.stdout.write(table(f"{format}, {photo.megapixels:.0f} megapixels", found))


def table(title: str, found: dict[str, list[Figures]]) -> str:
    """Return the medians of each way as a table in Markdown."""
    lines = header(title, "until the last answer, ms", "CPU, ms", "decoding, ms")
    for name, rounds in found.items():
        figures = (
            median(one.wall for one in rounds),
            median(one.cpu for one in rounds),
            median(one.decoding for one in rounds),
        )
        lines.append(row(name, *(f"{value:,.0f}" for value in figures)))
    return "\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
