"""`make chaos`: everything is killed, and what was accepted is done all the same."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.chaos.expiry import nothing_stays
from bench.chaos.gateway_kills import gateway_dies
from bench.chaos.outcome import Outcome
from bench.chaos.overload import overload_is_refused
from bench.chaos.poison import poison_is_put_aside
from bench.chaos.redis_kills import redis_dies
from bench.chaos.report import Report
from bench.chaos.worker_kills import workers_die

Scenario = Callable[[Path], Coroutine[None, None, Outcome]]


def main() -> None:
    """Play the scenarios, print the table, and write it to the results."""
    options = read_options()
    scenarios: dict[str, Scenario] = {
        "workers": partial(workers_die, jobs=500, every=2.0),
        "redis": partial(redis_dies, jobs=400, kills=3, every=5.0),
        "gateway": partial(gateway_dies, jobs=400, listeners=20, kills=3, every=3.0),
        "poison": partial(poison_is_put_aside, jobs=200, patience=10.0),
        "residue": partial(nothing_stays, jobs=10_000),
        "overload": partial(overload_is_refused, seconds=options.seconds),
    }
    outcomes = []
    for name, scenario in scenarios.items():
        if options.only in name:
            sys.stderr.write(f"{name}\n")
            with TemporaryDirectory(prefix="darkroom-chaos-") as folder:
                outcomes.append(asyncio.run(scenario(Path(folder))))
            sys.stderr.write(f"{outcomes[-1]}\n")
    report = Report(outcomes)
    sys.stdout.write(report.markdown())
    if not options.only:
        report.write()


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.chaos", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="of overload")
    parser.add_argument("--only", default="", help="part of a scenario's name; nothing is written")
    return parser.parse_args()


if __name__ == "__main__":
    main()
