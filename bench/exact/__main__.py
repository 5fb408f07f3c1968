"""Ask independent judges for the right answers, and compare Darkroom's: `make exact`.

Exits with 1 when an answer differs and `accepted.toml` does not say why, when an entry there covers
no difference any more, and when a judge can't be installed.
"""

import argparse
import subprocess
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
    selected = [one for one in select(JUDGES, chosen.only) if one.quick or not chosen.quick]
    judges = [judge for judge in selected if _install(judge)]
    if not chosen.install:
        verdicts = _verdicts(judges, quick=chosen.quick)
        for line in report.lines(verdicts):
            sys.stdout.write(line + "\n")
        if judges == list(JUDGES) and not chosen.quick:
            report.write(verdicts)
        if not report.passed(verdicts):
            return 1
    return 0 if judges == selected else 1


def _install(judge: Judge) -> bool:
    """Install what the judge needs; return whether it has everything."""
    try:
        for need in judge.needs:
            if need.missing():
                progress(f"{judge.name}: installing")
                need.install()
    except (OSError, subprocess.CalledProcessError) as exc:
        progress(f"{judge.name} can't run: {exc}")
        return False
    return True


def _verdicts(judges: Sequence[Judge], *, quick: bool) -> list[Verdict]:
    accepted = accepted_differences()
    verdicts = []
    for judge in judges:
        run = (judge.quick if quick else None) or judge.run
        started = time.monotonic()
        verdicts.append(judge_cases(judge, run(), accepted, whole=not quick))
        progress(f"{judge.name}: {time.monotonic() - started:.1f} s")
    return verdicts


if __name__ == "__main__":
    sys.exit(main())
