"""`make bench-jobs`: the same small renders as jobs of several systems, side by side."""

import argparse
import signal
import sys
from collections import defaultdict

from bench.environments import DATA, python_of
from bench.jobs.contenders import CONTENDERS, Contender
from bench.jobs.measurements import Figures, Round, median_of
from bench.jobs.load import Load
from bench.jobs.deployment import Match, match
from bench.jobs.report import Report

BURSTS = (20, 200, 2000)
AT_ONCE = 64
WARM_UP = 200  # jobs
LEAST = 400  # jobs of a size of burst: a small one is repeated


def main() -> None:
    """Measure, print the tables, and write what was measured to the results."""
    # What was started is ended by this process, and so not when it is just gone.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    options = read_options()
    contenders = [one for one in CONTENDERS if options.only in one.name]
    DATA.mkdir(parents=True, exist_ok=True)
    for contender in contenders:
        if contender.packages:
            say(f"packages: {contender.name}")
            python_of(contender.packages)
    rounds: dict[str, list[Round]] = defaultdict(list)
    for number in range(options.rounds):
        # Backwards every other time, so that who is first in a slow minute isn't always the same.
        for contender in contenders[:: -1 if number % 2 else 1]:
            say(f"round {number + 1} of {options.rounds}: {contender.name}")
            rounds[contender.name].append(measured(contender, options))
    figures: dict[str, Figures] = {name: median_of(found) for name, found in rounds.items()}
    report = Report(figures, options.rounds, tuple(options.bursts), AT_ONCE)
    sys.stdout.write(report.markdown())
    if options.write:
        report.write()


def measured(contender: Contender, options: argparse.Namespace) -> Round:
    with match(contender) as running:
        running.play(Load(WARM_UP, at_once=AT_ONCE))
        found = Round()
        for jobs in sorted(options.bursts):
            for _ in range(max(1, LEAST // jobs)):
                found.burst(jobs, running.play(Load(jobs, at_once=AT_ONCE)))
        found.low = running.play(Load(options.low))
        found.half = half_of_capacity(running, found, options.seconds)
    say(f"  {found.rate(max(options.bursts)):.0f} jobs/s")
    return found


def half_of_capacity(running: Match, found: Round, seconds: float) -> dict[str, object]:
    pace = found.rate(max(found.bursts)) / 2
    # A client that had no use for its threads or connections until now makes them here.
    running.play(Load(max(2, round(pace)), pace=pace))
    return running.play(Load(max(2, round(pace * seconds)), pace=pace))


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.jobs", description=__doc__)
    parser.add_argument("--bursts", type=int, nargs="+", default=BURSTS, help="jobs of a burst")
    parser.add_argument("--low", type=int, default=200, help="jobs one after the other")
    parser.add_argument("--seconds", type=float, default=5.0, help="at half of the capacity")
    parser.add_argument("--rounds", type=int, default=3, help="how often; the median counts")
    parser.add_argument("--only", default="", help="part of a contender's name: 'darkroom HTTP'")
    parser.add_argument(
        "--no-write", dest="write", action="store_false", help="leave the results as they are"
    )
    return parser.parse_args()


def say(line: str) -> None:
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    main()
