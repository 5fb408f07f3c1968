"""The goals of the stores, and whether they were reached."""

from collections.abc import Iterator, Sequence

from bench.goals import Goal
from bench.storage.comparison import Cell, ratio_of
from bench.storage.fill import Filled
from bench.storage.measures import CACHED, COLD
from bench.storage.readers import Read
from bench.storage.stores import DISK, REDIS

DISK_RENDERS = 0.95  # of the rate with Redis
BUCKET_RENDERS = 0.8  # of the rate with Redis, once the source is on the host
GATEWAY_PEAK = 150  # MiB
BYTES_PER_IMAGE = 1536  # of Redis


def goals_of(cells: Sequence[Cell], filled: Filled, read: Read) -> list[Goal]:
    """Return all goals about what was measured."""
    return [*_renders(cells), *_fill(filled), *_readers(read)]


def _renders(cells: Sequence[Cell]) -> Iterator[Goal]:
    stores = list(dict.fromkeys(one.store for one in cells))
    if REDIS.name not in stores:
        return
    for store in (one for one in stores if one != REDIS.name):
        least = DISK_RENDERS if store == DISK.name else BUCKET_RENDERS
        measures = (COLD, CACHED) if store == DISK.name else (CACHED,)
        for measure in measures:
            photos = dict.fromkeys(one.photo for one in cells)
            ratios = {photo: ratio_of(cells, store, REDIS.name, photo, measure) for photo in photos}
            yield Goal(
                f"{store}, {measure}: at least {least:g} of the rate with {REDIS.name}",
                ", ".join(f"{photo} {ratio:.2f}" for photo, ratio in ratios.items()),
                min(ratios.values()) >= least,
            )


def _fill(filled: Filled) -> Iterator[Goal]:
    size = filled.images * filled.image_bytes / 1e9
    yield Goal(
        f"{filled.images:,} photographs ({size:.2g} GB) through a Valkey of "
        f"{filled.maxmemory:g} MiB: all kept and rendered",
        f"{filled.kept:,} kept, {filled.rendered:,} rendered",
        filled.kept == filled.rendered == filled.images,
    )
    yield Goal(
        f"a stored image costs Redis at most {BYTES_PER_IMAGE:,} bytes",
        f"{filled.bytes_per_image:,.0f} bytes",
        filled.bytes_per_image <= BYTES_PER_IMAGE,
    )
    yield _peak("during the fill", filled.gateway_peak)


def _readers(read: Read) -> Iterator[Goal]:
    what = f"{read.readers} readers of {read.image_bytes / 1e6:g} MB"
    yield Goal(
        f"{what} at {read.rate / 1e6:g} MB/s each: all get the whole image",
        f"{read.complete} of {read.readers}",
        read.complete == read.readers,
    )
    yield _peak(f"with {what}", read.gateway_peak)


def _peak(when: str, found: float) -> Goal:
    return Goal(
        f"the gateway's memory {when}: below {GATEWAY_PEAK} MiB",
        f"{found:.0f} MiB",
        found < GATEWAY_PEAK,
    )
