"""`make bench-jobs`: measure small renders as durable jobs of several systems, next to each other.

A job renders a JPEG of 320 x 240 pixels in about a millisecond. The report has jobs a second in
bursts, p50 and p99 latency in milliseconds of single jobs and at half of the maximum rate, CPU time
in microseconds a job, and failures. A short comparison, about 80 seconds:

    python -m bench.jobs --only "darkroom runtime" celery --rounds 1 --no-write
"""

import argparse
import signal
import sys
from collections import defaultdict
from typing import Any

from bench.command_line import add_selection, in_rounds, progress, select
from bench.environments import install_packages
from bench.jobs.contenders import CONTENDERS, Contender
from bench.jobs.deployment import Deployment, deployed
from bench.jobs.load import Load
from bench.jobs.measurements import Figures, Round, median_of
from bench.jobs.report import Report

BURSTS = (20, 200, 2000)
CONCURRENT_SUBMISSIONS = 64
WARM_UP = 200  # jobs
LEAST_JOBS = 400  # jobs of each size of burst: small bursts are repeated


def main() -> None:
    """Measure, print the report, and write its files unless `--no-write` is given."""
    # SIGTERM raises SystemExit here, so that the context managers end what they started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    options = read_options()
    contenders = select(CONTENDERS, options.only)
    install_packages(one.packages for one in contenders)
    rounds: dict[str, list[Round]] = defaultdict(list)
    for contender in in_rounds(contenders, options.rounds):
        rounds[contender.name].append(measure(contender, options))
    figures: dict[str, Figures] = {name: median_of(found) for name, found in rounds.items()}
    report = Report(figures, options.rounds, tuple(options.bursts), CONCURRENT_SUBMISSIONS)
    sys.stdout.write(report.markdown())
    if options.write:
        report.write()


def measure(contender: Contender, options: argparse.Namespace) -> Round:
    """Deploy a contender and run all loads on it, the smallest bursts first."""
    with deployed(contender) as deployment:
        deployment.measure(Load(WARM_UP, concurrent=CONCURRENT_SUBMISSIONS))
        found = Round()
        for jobs in sorted(options.bursts):
            for _ in range(max(1, LEAST_JOBS // jobs)):
                load = Load(jobs, concurrent=CONCURRENT_SUBMISSIONS)
                found.add_burst(jobs, deployment.measure(load))
        found.sequential = deployment.measure(Load(options.sequential))
        found.half_rate = measure_at_half_rate(deployment, found, options.seconds)
    progress(f"  {found.rate(max(options.bursts)):.0f} jobs/s")
    return found


def measure_at_half_rate(deployment: Deployment, found: Round, seconds: float) -> dict[str, Any]:
    """Submit at half of the rate of the largest burst, for `seconds`."""
    rate = found.rate(max(found.bursts)) / 2
    # One second of warm-up: a client makes the threads and connections here that it needs now.
    deployment.measure(Load(max(2, round(rate)), rate=rate))
    return deployment.measure(Load(max(2, round(rate * seconds)), rate=rate))


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.jobs", description=__doc__)
    add_selection(parser, rounds=3)
    parser.add_argument(
        "--bursts", type=int, nargs="+", default=BURSTS, help="numbers of jobs in a burst"
    )
    parser.add_argument(
        "--sequential", type=int, default=200, help="jobs that are submitted one after the other"
    )
    parser.add_argument(
        "--seconds", type=float, default=5.0, help="seconds at half of the maximum rate"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
