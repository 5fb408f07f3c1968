"""`make bench-rpc`: the round trips of request-reply systems, side by side on one machine."""

import argparse
import sys
from collections import defaultdict

from bench.environments import DATA, python_of
from bench.rpc.measurements import Cell, median_of
from bench.rpc.contenders import CONTENDERS, Contender
from bench.rpc.load import Load
from bench.rpc.deployment import match
from bench.rpc.report import Report
from bench.servers import Nats

LEVELS = (1, 16, 64, 400, 2000)


def main() -> None:
    """Measure, print the table, and write what was measured to the results."""
    options = read_options()
    contenders = [one for one in CONTENDERS if options.only in one.name and available(one)]
    DATA.mkdir(parents=True, exist_ok=True)
    for contender in contenders:
        if contender.packages:
            say(f"packages: {contender.system}")
            python_of(contender.packages)
    rounds: dict[tuple[str, int], list[Cell]] = defaultdict(list)
    for number in range(options.rounds):
        # Backwards every other time, so that who is first in a slow minute isn't always the same.
        for contender in contenders[:: -1 if number % 2 else 1]:
            say(f"round {number + 1} of {options.rounds}: {contender.name}")
            with match(contender) as running:
                for callers in options.callers:
                    # Many callers come at once, and are answered at once when that is over.
                    warm_up = options.warm_up + callers / 1000
                    load = Load(callers, warm_up, options.seconds)
                    rounds[contender.name, callers].append(running.play(load))
    report = Report(
        {key: median_of(cells) for key, cells in rounds.items()},
        rounds=options.rounds,
        seconds=options.seconds,
    )
    sys.stdout.write(report.markdown())
    report.write()


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.rpc", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="measured time of a cell")
    parser.add_argument(
        "--warm-up", type=float, default=0.5, help="seconds before it, and 1 ms a caller"
    )
    parser.add_argument("--rounds", type=int, default=2, help="how often; the median counts")
    parser.add_argument("--only", default="", help="part of a contender's name: 'darkroom stream'")
    parser.add_argument("--callers", type=int, nargs="+", default=LEVELS, help="levels of load")
    return parser.parse_args()


def available(contender: Contender) -> bool:
    """Whether it can be measured here; says so if it can't."""
    if contender.server is Nats and not Nats.installed():
        say("nats is left out: there is no nats-server here (on Debian: apt-get install it)")
        return False
    return True


def say(line: str) -> None:
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    main()
