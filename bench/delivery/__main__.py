"""`make bench-delivery`: measure answers that are there already, and small renders.

A picture of 13 kB from memory and from the store, 304s, and thumbnails that nobody has asked for
before, from Darkroom, a bare uvicorn application, thumbor and ipx; the latency of pictures beside
renders; trips to Redis; and a page of forty pictures in Chromium, with and without nginx. Needs
wrk; without Chromium or nginx there are fewer figures of the page. A short run, about a minute:

    python -m bench.delivery --rounds 1 --seconds 1 --no-write
"""

import argparse
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from bench.command_line import add_selection, progress, select
from bench.delivery import busy, gallery, trips
from bench.delivery.comparison import Cell, Rounds
from bench.delivery.contenders import CONTENDERS, HITS, Contender
from bench.delivery.report import Report
from bench.delivery.stage import Stage
from bench.environments import DATA
from bench.gateway import wrk
from bench.imaging.systems.interface import NotInstalled

T = TypeVar("T")

PARTS = ("rates", "busy", "trips", "page")


def main() -> None:
    """Measure, print the report, and write its files unless `--no-write` is given."""
    # SIGTERM raises SystemExit here, so that the context managers end what they started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    options = read_options()
    if not wrk.installed():
        sys.exit("This benchmark needs wrk (on Debian: apt-get install wrk).")
    contenders = select(CONTENDERS, options.only)
    DATA.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=DATA, prefix="delivery-") as folder:
        report = measure(contenders, options, Path(folder))
    sys.stdout.write(report.markdown())
    if options.write:
        report.write()


def measure(contenders: list[Contender], options: argparse.Namespace, folder: Path) -> Report:
    """Take all measures, with files in an empty folder; one that fails is told, and left out."""
    rounds, seconds, parts = options.rounds, options.seconds, options.parts
    cells: list[Cell] = []
    beside: list[busy.Pair] = []
    failures: list[str] = []

    def attempt(name: str, take: Callable[[], list[T]]) -> list[T]:
        progress(name)
        try:
            return take()
        # Broad: what was measured before is reported, whatever fails now.
        except Exception as exc:
            failures.append(f"{name}: {type(exc).__name__} {exc}"[:300])
            progress(f"  {failures[-1]}")
            return []

    running = ExitStack()
    stage = Stage(running, folder)

    def stop() -> list[str]:
        running.close()
        return []

    try:
        if "rates" in parts:
            cells = compare(contenders, stage, rounds, seconds, failures)
        if "busy" in parts and HITS in contenders:
            beside = attempt("beside renders", lambda: busy.measure(stage, rounds, seconds))
    finally:
        attempt("stopping", stop)
    counted, pages = [], []
    if "trips" in parts:
        counted = attempt("trips", lambda: trips.count(folder / "trips"))
    if "page" in parts:
        pages = attempt("a page", lambda: gallery.measure(folder / "page", rounds))
    return Report(cells, beside, counted, pages, failures, rounds=rounds, seconds=seconds)


def compare(
    contenders: list[Contender], stage: Stage, rounds: int, seconds: int, failures: list[str]
) -> list[Cell]:
    """Measure the contenders that can be installed; add the others to `failures`."""
    installed = []
    for contender in contenders:
        try:
            contender.install()
        except NotInstalled as exc:
            failures.append(f"{contender.name}: not installed: {exc}")
        else:
            installed.append(contender)
    compared = Rounds(installed, stage, seconds)
    for number in range(rounds):
        progress(f"round {number + 1} of {rounds}")
        # Every second round runs backwards: a slow minute of the machine hits others then.
        compared.measure(backwards=number % 2 == 1)
    return compared.cells()


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.delivery", description=__doc__)
    add_selection(parser, rounds=3)
    parser.add_argument("--seconds", type=int, default=3, help="seconds of each measurement")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what to measure")
    return parser.parse_args()


if __name__ == "__main__":
    main()
