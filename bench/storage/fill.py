"""The fill: many photographs through a Valkey that has room for a fiftieth of them."""

import shutil
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.command_line import progress
from bench.imaging.load import Request
from bench.imaging.photographs import Photograph, numbered
from bench.storage.deployment import MIB, Deployment, id_of, upload_of
from bench.storage.load import Outcome, Receive, UnexpectedAnswer, run
from bench.storage.measures import QUALITY, WIDTH, render_of
from services.runtime.redis import keys

PHOTO = Photograph("3mb.jpg", (3750, 2812), quality=97)
IMAGES = 2000
VALKEY = {"maxmemory": "128mb", "maxmemory-policy": "noeviction"}
SPARE = 10  # times as many bytes as the images have must be free on the disk

_STEP = 200  # images


@dataclass(frozen=True)
class Filled:
    """The numbers of images that were uploaded, rendered and kept."""

    images: int
    image_bytes: int
    uploaded: int
    rendered: int
    kept: int  # whole and with their digest at the end, after the renders
    seconds: dict[str, float]  # by step
    failures: dict[str, int]  # by step and reason
    maxmemory: float  # MiB that Valkey may use
    bytes_per_image: float  # of Valkey, of each upload after the first tenth
    used_memory: float  # MiB of Valkey at the end
    hot_bytes: float  # MiB of it that are bytes of small results
    gateway_peak: float  # MiB

    def to_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return asdict(self)


def check_room(folder: Path, *, images: int) -> None:
    """Exit with a message when the disk of `folder` has no room for a fill."""
    needed = SPARE * images * len(PHOTO.read())
    if shutil.disk_usage(folder).free < needed:
        sys.exit(f"The fill needs {needed / 1e9:,.0f} GB free in {folder}.")


def fill(deployment: Deployment, *, images: int, photo: Photograph = PHOTO) -> Filled:
    """Upload so many images, render each once, and fetch each one at the end."""
    return _Fill(deployment, photo.read(), images).run()


class _Fill:
    def __init__(self, deployment: Deployment, source: bytes, images: int) -> None:
        self._deployment = deployment
        self._source = source
        self._images = images
        self._ids = [""] * images
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._failures: Counter[str] = Counter()

    def run(self) -> Filled:
        # Streams and tables of fixed size are there after the first requests.
        first = self._images // 10
        uploaded = self._step("upload", self._upload, stop=first)
        before = self._kept_by_redis()
        uploaded += self._step("upload", self._upload, start=first)
        bytes_per_image = (self._kept_by_redis() - before) / (self._images - first)
        rendered = self._step("render", self._render)
        kept = self._step("fetch", self._fetch, self._check)
        hot: Any = self._deployment.redis.get(keys.HOT_BYTES)
        return Filled(
            images=self._images,
            image_bytes=len(self._source),
            uploaded=uploaded,
            rendered=rendered,
            kept=kept,
            seconds=dict(self._seconds),
            failures=dict(self._failures),
            maxmemory=int(self._deployment.redis_memory()["maxmemory"]) / MIB,
            bytes_per_image=bytes_per_image,
            used_memory=int(self._deployment.redis_memory()["used_memory"]) / MIB,
            hot_bytes=int(hot or 0) / MIB,
            gateway_peak=self._deployment.gateway_peak(),
        )

    def _step(
        self,
        name: str,
        make: Callable[[int], Request],
        receive: Receive = lambda _, __: None,
        *,
        start: int = 0,
        stop: int | None = None,
    ) -> int:
        """Send a request for each image from `start` to `stop`; return how many succeed."""
        done, stop = 0, self._images if stop is None else stop
        for first in range(start, stop, _STEP):
            progress(f"fill, {name}: {first} of {self._images}")
            outcome = self._some(range(first, min(first + _STEP, stop)), make, receive)
            done += len(outcome.latencies)
            self._seconds[name] += outcome.seconds
            for reason, number in outcome.failures.items():
                self._failures[f"{name}: {reason}"] += number
        return done

    def _some(self, images: range, make: Callable[[int], Request], receive: Receive) -> Outcome:
        return run(
            self._deployment.port,
            len(images),
            lambda number: make(images[number]),
            lambda number, body: receive(images[number], body),
        )

    def _upload(self, number: int) -> Request:
        image = numbered(self._source, number)
        self._ids[number] = id_of(image)
        return upload_of(image)

    def _render(self, number: int) -> Request:
        return render_of(self._ids[number], WIDTH, QUALITY)

    def _fetch(self, number: int) -> Request:
        return Request("GET", f"/v1/images/{self._ids[number]}")

    def _check(self, number: int, body: bytes) -> None:
        if id_of(body) != self._ids[number]:
            raise UnexpectedAnswer("other bytes")

    def _kept_by_redis(self) -> int:
        """Return the bytes of all keys with their values, by Valkey's own measure."""
        redis = self._deployment.redis
        with redis.pipeline(transaction=False) as pipeline:
            for key in redis.scan_iter(count=1000):
                pipeline.memory_usage(key, samples=0)
            return sum(size for size in pipeline.execute() if size)
