"""`make chaos`: kill services and Redis, and check that every accepted job is done.

Eight scenarios, each with real services and SIGKILL; a scenario whose claim fails ends the run with
an AssertionError. The report has jobs, kills, the longest stall and the duration in seconds. A
short run of one scenario, half a minute:

    python -m bench.chaos --only workers
"""

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.chaos.outcome import Outcome
from bench.chaos.report import Report
from bench.chaos.scenarios.bucket_faults import bucket_fails
from bench.chaos.scenarios.expiry import records_expire
from bench.chaos.scenarios.gateway_kills import gateway_is_killed
from bench.chaos.scenarios.overload import overload_is_refused
from bench.chaos.scenarios.poison import poison_jobs_become_dead_letters
from bench.chaos.scenarios.redis_kills import redis_is_killed
from bench.chaos.scenarios.store_kills import store_is_killed
from bench.chaos.scenarios.worker_kills import workers_are_killed
from bench.command_line import progress

Scenario = Callable[[Path], Coroutine[None, None, Outcome]]


def main() -> None:
    """Run the scenarios, print the report, and write its files after a complete run."""
    options = read_options()
    scenarios: dict[str, Scenario] = {
        "workers": partial(workers_are_killed, jobs=500, every=2.0),
        "redis": partial(redis_is_killed, jobs=400, kills=3, every=5.0),
        "gateway": partial(gateway_is_killed, jobs=900, listeners=20, kills=3, every=3.0),
        "disk": partial(store_is_killed, images=300, kills=8, every=2.0),
        "bucket": partial(bucket_fails, jobs=200, away=30.0),
        "poison": partial(poison_jobs_become_dead_letters, jobs=200, render_timeout=10.0),
        "expiry": partial(records_expire, jobs=10_000),
        "overload": partial(overload_is_refused, seconds=options.seconds),
    }
    outcomes = []
    for name, scenario in scenarios.items():
        if options.only in name:
            progress(name)
            with TemporaryDirectory(prefix="darkroom-chaos-") as folder:
                outcomes.append(asyncio.run(scenario(Path(folder))))
            progress(str(outcomes[-1]))
    report = Report(outcomes)
    sys.stdout.write(report.markdown())
    if not options.only:
        report.write()


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench.chaos",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=int, default=60, help="seconds of the overload scenario")
    parser.add_argument(
        "--only", default="", help="part of a scenario's name; no files are written then"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
