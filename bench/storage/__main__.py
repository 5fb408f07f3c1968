"""`make bench-storage`: measure what each store of bytes costs, and what memory it takes.

Uploads, fetches, ranges and renders of photographs of 0.8 MB and 6 MB with every store, in turns;
then 2,000 photographs through a Valkey of 128 MiB, and 60 slow readers of 60 MB. The report has
requests a second and their ratios, latencies and CPU time in milliseconds, peaks of memory in MiB,
and whether the goals are reached. It needs 60 GB of free disk for 6 GB. A short form, about a
minute, which writes no files:

    python -m bench.storage --quick
"""

import argparse
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.command_line import add_selection, progress, select
from bench.environments import DATA, install_packages
from bench.imaging.photographs import Photograph
from bench.storage import fill, readers
from bench.storage.comparison import compare
from bench.storage.deployment import deployed
from bench.storage.measures import LARGE, SMALL, Counts
from bench.storage.report import Report
from bench.storage.stores import CONTENDERS, DISK, Contender


@dataclass(frozen=True)
class Sizes:
    """Amounts of a run: requests, images, readers and bytes."""

    counts: Mapping[Photograph, Counts]
    filling: int  # images of the fill
    readers: int
    reading: int  # bytes of the image that they read


FULL = Sizes(
    {SMALL: Counts(120, 360, 360, 240), LARGE: Counts(48, 144, 240, 144)},
    filling=fill.IMAGES,
    readers=readers.READERS,
    reading=readers.BYTES,
)
QUICK = Sizes(
    {SMALL: Counts(16, 32, 32, 32), LARGE: Counts(8, 16, 16, 16)},
    filling=60,
    readers=readers.READERS,
    reading=5_000_000,
)


def main() -> None:
    """Measure, print the report, and write its files unless `--no-write` or `--quick` is given."""
    # SIGTERM raises SystemExit here, so that the context managers end what they started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    options = read_options()
    contenders = select(CONTENDERS, options.only)
    install_packages(one.packages for one in contenders)
    for photo in (SMALL, LARGE, fill.PHOTO):
        progress(f"{photo.name}: {len(photo.read()) / 1000:,.0f} kB")
    sizes = QUICK if options.quick else FULL
    fill.check_room(DATA, images=sizes.filling)
    rounds = 1 if options.quick else options.rounds
    with TemporaryDirectory(dir=DATA, prefix="storage-") as folder:
        report = measure(contenders, sizes, rounds, Path(folder))
    sys.stdout.write(report.markdown())
    if options.write and not options.quick:
        report.write()


def measure(contenders: Sequence[Contender], sizes: Sizes, rounds: int, folder: Path) -> Report:
    """Take all measures; the stores on disk are in an empty `folder`."""
    with deployed(contenders, folder / "compared") as deployments:
        cells = compare(deployments, sizes.counts, rounds)
        peaks = {
            one.name: {"gateway": one.gateway_peak(), "Valkey": one.redis_peak()}
            for one in deployments
        }
    with deployed([DISK], folder / "filled", valkey=fill.VALKEY) as (deployment,):
        filled = fill.fill(deployment, images=sizes.filling)
    with deployed([DISK], folder / "read") as (deployment,):
        read = readers.read(deployment, readers=sizes.readers, size=sizes.reading)
    return Report(cells, peaks, filled, read, rounds)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.storage", description=__doc__)
    add_selection(parser, rounds=3)
    parser.add_argument(
        "--quick", action="store_true", help="measure little, in one round, and write no files"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
