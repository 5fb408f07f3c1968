"""`make bench-rpc`: measure the round trips of request-reply systems, next to each other.

Each caller sends 100 bytes to an echo worker, awaits the reply and calls again. For each number of
concurrent callers the report has calls a second, p50 and p99 latency in milliseconds, CPU time in
microseconds a call, connections opened, and failures. A short comparison, about 75 seconds:

    python -m bench.rpc --only darkroom faststream --callers 1 16 64 --rounds 1 --no-write
"""

import argparse
import sys
from collections import defaultdict

from bench.command_line import add_selection, in_rounds, progress, select
from bench.environments import install_packages
from bench.rpc.contenders import CONTENDERS, Contender
from bench.rpc.deployment import deployed
from bench.rpc.load import Load
from bench.rpc.measurements import Measurement, median_of
from bench.rpc.report import Report
from bench.servers import Nats

LEVELS = (1, 16, 64, 400, 2000)


def main() -> None:
    """Measure, print the report, and write its files unless `--no-write` is given."""
    options = read_options()
    contenders = [one for one in select(CONTENDERS, options.only) if is_available(one)]
    install_packages(one.packages for one in contenders)
    rounds: dict[tuple[str, int], list[Measurement]] = defaultdict(list)
    for contender in in_rounds(contenders, options.rounds):
        with deployed(contender) as deployment:
            for callers in options.callers:
                # The first calls of many callers arrive, and are answered, all at once.
                warm_up = options.warm_up + callers / 1000
                load = Load(callers, warm_up, options.seconds)
                rounds[contender.name, callers].append(deployment.measure(load))
    report = Report(
        {key: median_of(found) for key, found in rounds.items()},
        contenders=contenders,
        rounds=options.rounds,
        seconds=options.seconds,
    )
    sys.stdout.write(report.markdown())
    if options.write:
        report.write()


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.rpc", description=__doc__)
    add_selection(parser, rounds=2)
    parser.add_argument(
        "--callers", type=int, nargs="+", default=LEVELS, help="numbers of concurrent callers"
    )
    parser.add_argument(
        "--seconds", type=float, default=2.0, help="measured seconds for each number of callers"
    )
    parser.add_argument(
        "--warm-up", type=float, default=0.5, help="seconds of load before, plus 1 ms a caller"
    )
    return parser.parse_args()


def is_available(contender: Contender) -> bool:
    """Return whether the contender can be measured here; report the reason when it cannot."""
    if contender.server is Nats and not Nats.installed():
        progress("nats is skipped: there is no nats-server here (on Debian: apt-get install it)")
        return False
    return True


if __name__ == "__main__":
    main()
