"""Ask independent judges for the right answers, and compare Darkroom's: `make exact`.

Exits with 1 when an answer differs and `accepted.toml` does not say why, or when an entry there
covers no difference any more.
"""

import argparse
import sys
import time
from collections.abc import Sequence

from bench.command_line import progress, select
from bench.exact import report
from bench.exact.judges import Judge, Verdict, accepted_differences, judge_cases
from bench.exact.registry import JUDGES


def main() -> int:
    """Run the selected judges; return the exit code."""
    parser = argparse.ArgumentParser(prog="bench.exact", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--only", nargs="+", default=[""], metavar="NAME", help="judges, by name or a part of it"
    )
    parser.add_argument("--quick", action="store_true", help="the short forms, which are tests")
    parser.add_argument("--install", action="store_true", help="only install what judges need")
    chosen = parser.parse_args()
    judges = select(JUDGES, chosen.only)
    for judge in judges:
        _install(judge)
    if chosen.install:
        return 0
    verdicts = list(_verdicts(judges, quick=chosen.quick))
    for line in report.lines(verdicts):
        sys.stdout.write(line + "\n")
    if judges == list(JUDGES) and not chosen.quick:
        report.write(verdicts)
    return 0 if report.passed(verdicts) else 1


def _install(judge: Judge) -> None:
    for need in judge.needs:
        if need.missing():
            progress(f"installing for {judge.name}")
            need.install()


def _verdicts(judges: Sequence[Judge], *, quick: bool) -> list[Verdict]:
    accepted = accepted_differences()
    verdicts = []
    for judge in judges:
        run = judge.quick if quick else judge.run
        if run is None:
            continue
        started = time.monotonic()
        verdicts.append(judge_cases(judge, run(), accepted, whole=not quick))
        progress(f"{judge.name}: {time.monotonic() - started:.1f} s")
    return verdicts


if __name__ == "__main__":
    sys.exit(main())
