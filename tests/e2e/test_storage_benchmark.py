"""The short form of `make bench-storage`: what it measures works with Redis and with a disk."""

from pathlib import Path

from bench.imaging.photographs import SMALL
from bench.storage import fill, readers
from bench.storage.comparison import compare
from bench.storage.deployment import deployed
from bench.storage.measures import MEASURES, Counts
from bench.storage.report import Report
from bench.storage.stores import DISK, REDIS

COUNTS = {SMALL: Counts(images=3, fetches=3, ranges=3, questions=4, few=2)}


def test_the_benchmark_of_stores_measures_and_reports_without_a_failure(tmp_path: Path) -> None:
    with deployed([REDIS, DISK], tmp_path, valkey=fill.VALKEY) as (redis, disk):
        cells = compare([redis, disk], COUNTS, rounds=1)
        peaks = {one.name: {"gateway": one.gateway_peak()} for one in (redis, disk)}
        filled = fill.fill(disk, images=3, photo=SMALL)
        read = readers.read(disk, readers=3, size=1_000_000, rate=4_000_000)
    report = Report(cells, peaks, filled, read, rounds=1).markdown()

    assert {(one.store, one.measure): (one.succeeded, one.failures) for one in cells} == {
        (store, measure): (4 if measure == MEASURES[-1] else 3, {})
        for store in ("redis", "disk")
        for measure in MEASURES
    }
    assert (filled.uploaded, filled.rendered, filled.kept, filled.failures) == (3, 3, 3, {})
    assert (read.complete, read.failures) == (3, {})
    assert "| 3 readers of 1 MB at 4 MB/s each: all get the whole image | 3 of 3 | yes |" in report
