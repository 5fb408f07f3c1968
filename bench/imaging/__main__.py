"""`make bench-imaging`: the same pictures by several systems, side by side, and by the engine."""

import argparse
import signal
import sys
from collections import defaultdict

from bench.environments import DATA
from bench.imaging.cases import CASES, Case
from bench.imaging.contenders import CONTENDERS, ENGINE, Contender
from bench.imaging.measurements import Cell, failed, measured, median_of
from bench.imaging.peak_memory import peak_of
from bench.imaging.photographs import PHOTOGRAPHS
from bench.imaging.report import Report
from bench.imaging.systems.interface import NotInstalled

Cells = defaultdict[tuple[str, str], list[Cell]]


def main() -> None:
    """Measure, print the tables, and write what was measured to the results."""
    # What was started is ended by this process, and so not when it is just gone.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    options = read_options()
    contenders = [one for one in CONTENDERS if options.only in one.name]
    cases = [case for case in CASES if case.name in options.cases]
    DATA.mkdir(parents=True, exist_ok=True)
    for photo in PHOTOGRAPHS:
        say(f"{photo.name}: {len(photo.read()) / 1000:,.0f} kB")
    missing = {one.name: why for one in contenders if (why := lack(one))}
    rounds: Cells = defaultdict(list)
    for name, why in missing.items():
        for case in cases:
            rounds[name, case.name].append(failed(why))
    there = [one for one in contenders if one.name not in missing]
    for number in range(options.rounds):
        # Backwards every other time, so that who is first in a slow minute isn't always the same.
        for contender in there[:: -1 if number % 2 else 1]:
            say(f"round {number + 1} of {options.rounds}: {contender.name}")
            play(contender, cases, options, rounds)
    measures_the_engine = any(one.name == ENGINE for one in there)
    order = [(one.name, case.name) for one in contenders for case in cases]
    report = Report(
        {key: median_of(rounds[key]) for key in order},
        cases,
        {case.name: peak_of(case) for case in cases} if measures_the_engine else {},
        rounds=options.rounds,
        seconds=options.seconds,
    )
    sys.stdout.write(report.markdown())
    if options.write:
        report.write()


def lack(contender: Contender) -> str | None:
    """Install a system; why it can't be measured, if it can't."""
    try:
        contender.install()
    except NotInstalled as exc:
        return f"not installed: {exc}"
    return None


def play(
    contender: Contender, cases: list[Case], options: argparse.Namespace, rounds: Cells
) -> None:
    """A contender's turn: all the cases, in one start."""
    with contender.start() as running:
        for case in cases:
            cell = measured(running, case, options.warm_up, options.seconds)
            rounds[contender.name, case.name].append(cell)
            say(f"  {case.name}: {cell.rate:.1f} a second")


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.imaging", description=__doc__)
    names = [case.name for case in CASES]
    parser.add_argument("--seconds", type=float, default=2.5, help="measured time of a case")
    parser.add_argument("--warm-up", type=float, default=0.5, help="seconds before it")
    parser.add_argument("--rounds", type=int, default=2, help="how often; the median counts")
    parser.add_argument("--only", default="", help="part of a contender's name: 'darkroom'")
    parser.add_argument("--cases", nargs="+", choices=names, default=names, help="which of them")
    parser.add_argument("--no-write", dest="write", action="store_false", help="print it only")
    return parser.parse_args()


def say(line: str) -> None:
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    main()
