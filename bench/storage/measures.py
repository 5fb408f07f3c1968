"""The measures of each store: uploads, fetches, ranges, and renders of uploaded photographs."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.imaging.load import Request
from bench.imaging.photographs import Photograph, numbered
from bench.processes import machine_time
from bench.storage.deployment import Deployment, id_of, upload_of
from bench.storage.load import Outcome, UnexpectedAnswer, run

SMALL = Photograph("0.8mb.jpg", (2525, 2062))
LARGE = Photograph("6mb.jpg", (5750, 3833), quality=97)

UPLOAD, FETCH, RANGE = "upload", "fetch", "range"
COLD, CACHED = "render, each once", "render, few often"
MEASURES = (UPLOAD, FETCH, RANGE, COLD, CACHED)

WIDTH, QUALITY = 720, 80  # of the renditions: of the widest and finest of them
RANGE_BYTES = 64 << 10
CLIENT = "client"

_WIDTHS = 40  # widths below `WIDTH` with which questions differ


@dataclass(frozen=True)
class Counts:
    """Number of requests of each measure, for one photograph."""

    images: int
    fetches: int
    ranges: int
    questions: int
    few: int = 4  # images that all the questions of `CACHED` are about


@dataclass(frozen=True)
class Sample:
    """Figures of one measure in one round."""

    outcome: Outcome
    cpu: dict[str, float]  # seconds by process
    others: float  # cores that anything else on the machine used

    @property
    def rate(self) -> float:
        """Successes a second."""
        return len(self.outcome.latencies) / self.outcome.seconds


class Round:
    """One round with one photograph: the same new images for every store."""

    def __init__(self, photo: Photograph, counts: Counts, *, first: int) -> None:
        """`first` is the number of the first image; a number makes the bytes of an image."""
        source = photo.read()
        self.photo = photo
        self._counts = counts
        self._images = [numbered(source, first + number) for number in range(counts.images)]
        self._ids = [id_of(image) for image in self._images]

    def measure(self, name: str, deployment: Deployment) -> Sample:
        """Take a measure of a store. All of them are taken in the order of `MEASURES`."""
        if name == COLD:
            deployment.forget_copies()
        before, own, whole = deployment.cpu(), time.process_time(), machine_time()
        outcome = self._runs()[name](deployment.port)
        whole = machine_time() - whole
        cpu = {process: used - before[process] for process, used in deployment.cpu().items()}
        cpu[CLIENT] = time.process_time() - own
        others = max(0.0, whole - sum(cpu.values())) / outcome.seconds
        return Sample(outcome, cpu, others)

    def clear(self, deployment: Deployment) -> None:
        """Delete the images and all that was made from them."""
        paths = [f"/v1/images/{one}" for one in self._ids]
        run(deployment.port, len(paths), lambda number: Request("DELETE", paths[number]))

    def _runs(self) -> dict[str, Callable[[int], Outcome]]:
        return {
            UPLOAD: self._upload,
            FETCH: self._fetch,
            RANGE: self._range,
            COLD: self._render_each_once,
            CACHED: self._render_few_often,
        }

    def _upload(self, port: int) -> Outcome:
        return run(port, len(self._images), lambda number: upload_of(self._images[number]))

    def _fetch(self, port: int) -> Outcome:
        def receive(number: int, body: bytes) -> None:
            if len(body) != len(self._images[number % len(self._ids)]):
                raise UnexpectedAnswer(f"{len(body)} bytes")

        return run(
            port,
            self._counts.fetches,
            lambda number: Request("GET", f"/v1/images/{_of(self._ids, number)}"),
            receive,
        )

    def _range(self, port: int) -> Outcome:
        start = len(self._images[0]) // 2
        headers = {"Range": f"bytes={start}-{start + RANGE_BYTES - 1}"}

        def receive(number: int, body: bytes) -> None:
            image = self._images[number % len(self._ids)]
            if body != image[start : start + RANGE_BYTES]:
                raise UnexpectedAnswer("other bytes")

        return run(
            port,
            self._counts.ranges,
            lambda number: Request("GET", f"/v1/images/{_of(self._ids, number)}", headers=headers),
            receive,
        )

    def _render_each_once(self, port: int) -> Outcome:
        return run(
            port, len(self._ids), lambda number: render_of(self._ids[number], WIDTH, QUALITY)
        )

    def _render_few_often(self, port: int) -> Outcome:
        few = self._ids[: self._counts.few]

        def ask(number: int) -> Request:
            question = number // len(few)
            width, quality = WIDTH - 1 - question % _WIDTHS, QUALITY - question // _WIDTHS
            return render_of(_of(few, number), width, quality)

        return run(port, self._counts.questions, ask)


def render_of(image: str, width: int, quality: int) -> Request:
    """Return the request for an image of this width, in pixels, as a JPEG."""
    query = f"op=resize:width={width},filter=lanczos&format=jpeg&quality={quality}"
    return Request("GET", f"/v1/images/{image}/render?{query}")


def _of(ids: Sequence[str], number: int) -> str:
    return ids[number % len(ids)]
