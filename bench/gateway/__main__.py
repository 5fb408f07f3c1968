"""`make bench-gateway`: measure the cost of publishing a message in an HTTP request.

wrk's users post one item after the other to six endpoints. The report has requests a second for
each endpoint and number of users, p50 and p99 latency in milliseconds, failed requests, and
messages that were lost between the answer and Redis. Needs wrk. A short run, about a minute:

    python -m bench.gateway --users 64 --seconds 2 --rounds 1 --no-write
"""

import argparse
import sys
from collections import defaultdict

from bench.command_line import add_rounds, progress
from bench.gateway import wrk
from bench.gateway.report import Report, median_of
from bench.gateway.services import running
from bench.gateway.wrk import Measurement

ENDPOINTS = ("no-op", "fire-and-forget", "out-of-band", "with-callback", "awaited", "round-trip")
LEVELS = (1, 16, 64, 400)


def main() -> None:
    """Measure, print the report, and write its files unless `--no-write` is given."""
    options = read_options()
    if not wrk.installed():
        sys.exit("This benchmark needs wrk (on Debian: apt-get install wrk).")
    rounds: dict[tuple[str, int], list[Measurement]] = defaultdict(list)
    with running() as service:
        for number in range(options.rounds):
            for level in options.users:
                progress(f"round {number + 1} of {options.rounds}: {level} users")
                # The endpoints are compared with each other, so they are measured in turns.
                for endpoint in ENDPOINTS[:: -1 if number % 2 else 1]:
                    found = wrk.post(service, endpoint, level, options.seconds)
                    rounds[endpoint, level].append(found)
    report = Report({key: median_of(found) for key, found in rounds.items()}, options.rounds)
    sys.stdout.write(report.markdown())
    if options.write:
        report.write()


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench.gateway",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=int, default=5, help="seconds of each measurement")
    parser.add_argument(
        "--users", type=int, nargs="+", default=LEVELS, help="numbers of concurrent users"
    )
    add_rounds(parser, rounds=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
