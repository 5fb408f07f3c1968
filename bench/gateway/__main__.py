"""`make bench-gateway`: what it costs an HTTP request to publish, in each way of doing it."""

import argparse
import sys
from collections import defaultdict

from bench.gateway import wrk
from bench.gateway.report import Report, median_of
from bench.gateway.services import running
from bench.gateway.wrk import Answered

WAYS = ("no-op", "fire-and-forget", "out-of-band", "with-callback", "awaited", "round-trip")
LEVELS = (1, 16, 64, 400)


def main() -> None:
    """Measure, print the table, and write what was measured to the results."""
    options = read_options()
    if not wrk.installed():
        sys.exit("The users are wrk's, and there is no wrk here (on Debian: apt-get install wrk).")
    rounds: dict[tuple[str, int], list[Answered]] = defaultdict(list)
    with running() as service:
        for number in range(options.rounds):
            for level in options.users:
                sys.stderr.write(f"round {number + 1} of {options.rounds}: {level} users\n")
                # The ways are compared with each other, so they take turns.
                for way in WAYS[:: -1 if number % 2 else 1]:
                    answered = wrk.post(service, way, level, options.seconds)
                    rounds[way, level].append(answered)
    report = Report({key: median_of(found) for key, found in rounds.items()}, options.rounds)
    sys.stdout.write(report.markdown())
    report.write()


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.gateway", description=__doc__)
    parser.add_argument("--seconds", type=int, default=5, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="how often; the median counts")
    parser.add_argument("--users", type=int, nargs="+", default=LEVELS, help="levels of load")
    return parser.parse_args()


if __name__ == "__main__":
    main()
