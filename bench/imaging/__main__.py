"""`make bench-imaging`: measure image servers on the same requests, and Darkroom's engine alone.

Each case is one photograph with one operation and one output format. The report has results a
second and their ratios, p50 latency and CPU time in milliseconds, fidelity as PSNR in dB, size in
kB, cores used, and memory in MiB. A short comparison, about 75 seconds:

    python -m bench.imaging --only "darkroom GET" thumbor --rounds 1 --no-write
"""

import argparse
import signal
import sys
from collections import defaultdict

from bench.command_line import add_selection, in_rounds, progress, select
from bench.environments import DATA
from bench.imaging.cases import CASES, Case
from bench.imaging.contenders import CONTENDERS, ENGINE, Contender
from bench.imaging.measurements import Measurement, failed, measure, median_of
from bench.imaging.peak_memory import peak_of
from bench.imaging.photographs import PHOTOGRAPHS
from bench.imaging.report import Report
from bench.imaging.systems.interface import NotInstalled

Rounds = defaultdict[tuple[str, str], list[Measurement]]


def main() -> None:
    """Measure, print the report, and write its files unless `--no-write` is given."""
    # SIGTERM raises SystemExit here, so that the context managers end what they started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    options = read_options()
    contenders = select(CONTENDERS, options.only)
    cases = [case for case in CASES if case.name in options.cases]
    DATA.mkdir(parents=True, exist_ok=True)
    for photo in PHOTOGRAPHS:
        progress(f"{photo.name}: {len(photo.read()) / 1000:,.0f} kB")
    missing = {one.name: reason for one in contenders if (reason := install(one))}
    rounds: Rounds = defaultdict(list)
    for name, reason in missing.items():
        for case in cases:
            rounds[name, case.name].append(failed(reason))
    installed = [one for one in contenders if one.name not in missing]
    for contender in in_rounds(installed, options.rounds):
        measure_cases(contender, cases, options, rounds)
    measures_the_engine = any(one.name == ENGINE for one in installed)
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


def install(contender: Contender) -> str | None:
    """Install a contender; return the reason when it cannot be installed, else None."""
    try:
        contender.install()
    except NotInstalled as exc:
        return f"not installed: {exc}"
    return None


def measure_cases(
    contender: Contender, cases: list[Case], options: argparse.Namespace, rounds: Rounds
) -> None:
    """Start a contender, measure all cases on it, and add the figures to `rounds`."""
    with contender.start() as running:
        for case in cases:
            found = measure(running, case, options.warm_up, options.seconds)
            rounds[contender.name, case.name].append(found)
            progress(f"  {case.name}: {found.rate:.1f} a second")


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.imaging", description=__doc__)
    names = [case.name for case in CASES]
    add_selection(parser, rounds=2)
    parser.add_argument("--cases", nargs="+", choices=names, default=names, help="cases to measure")
    parser.add_argument("--seconds", type=float, default=2.5, help="measured seconds of a case")
    parser.add_argument("--warm-up", type=float, default=0.5, help="seconds of load before")
    return parser.parse_args()


if __name__ == "__main__":
    main()
