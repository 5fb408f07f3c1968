"""`make fuzz`: render damaged files for a time, and keep each file whose failure has no name.

The cases run in processes with little memory and time, so that a crash and a hang are found, too.
"""

import argparse
import json
import resource
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

from bench.fuzz.attempts import attempts, outcome
from bench.fuzz.corpus import corpus
from bench.fuzz.damage import damaged

_MEMORY = 2 << 30  # bytes of address space; the libraries alone take a third of it
_CPU_SECONDS = 8.0  # a case
_REAL_SECONDS = 60.0  # a case, to catch one that waits without using the CPU
_CASES_A_PROCESS = 2000  # so that a leak does not look like a case that needs much memory
_CURRENT = "in-hand"  # the file of the case that runs


def _work(first: int, until: float, kept: Path) -> None:
    """Run cases from number `first` until a time; print the next number and the outcomes as JSON.

    Each case's number and bytes are in `kept` before the case runs.
    """
    files = corpus()
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    current, tally = kept / _CURRENT, Counter[str]()
    for number in range(first, first + _CASES_A_PROCESS):
        if time.time() > until:
            break
        name, data = damaged(files, number)
        current.write_bytes(data)
        current.with_suffix(".json").write_text(json.dumps({"number": number, "file": name}))
        # Either signal ends the process, even within a decoder.
        signal.setitimer(signal.ITIMER_PROF, _CPU_SECONDS)
        signal.setitimer(signal.ITIMER_REAL, _REAL_SECONDS)
        for attempt in attempts(data, number):
            try:
                tally[outcome(attempt)] += 1
            except Exception:
                tally["unnamed"] += 1
                (kept / f"unnamed-{number}").write_bytes(data)
                report = f"{name}\n{traceback.format_exc()}"
                (kept / f"unnamed-{number}.txt").write_text(report)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
    sys.stdout.write(json.dumps({"next": number + 1, "tally": tally}) + "\n")


def _oversee(start: int, until: float, kept: Path) -> Counter[str]:
    """Run cases in one process after another until a time, and return how many ended how."""
    tally, number = Counter[str](), start
    current = kept / _CURRENT
    while time.time() < until:
        command = [sys.executable, "-m", "bench.fuzz", "--work"]
        command += [str(number), str(until), str(kept)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            report = json.loads(done.stdout.splitlines()[-1])
            number = report["next"]
            tally.update(report["tally"])
            continue
        if not current.with_suffix(".json").exists():
            raise RuntimeError(f"No case was run: {done.stderr[-2000:]}")
        case = json.loads(current.with_suffix(".json").read_text())
        slow = done.returncode in (-signal.SIGPROF, -signal.SIGALRM)
        kind = "hang" if slow else "crash"
        tally[kind] += 1
        tally["done before a crash or a hang"] += 3 * (case["number"] - number)
        (kept / f"{kind}-{case['number']}").write_bytes(current.read_bytes())
        details = f"{case['file']}\nexit {done.returncode}\n{done.stderr[-2000:]}"
        (kept / f"{kind}-{case['number']}.txt").write_text(details)
        number = case["number"] + 1
    current.unlink(missing_ok=True)
    current.with_suffix(".json").unlink(missing_ok=True)
    return tally


def main() -> int:
    """Fuzz for `--seconds`; return 1 after an unnamed exception, a crash or a hang."""
    if sys.argv[1:2] == ["--work"]:
        first, until, kept = sys.argv[2:]
        _work(int(first), float(until), Path(kept))
        return 0
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--start", type=int, default=0, help="the first case's number")
    parser.add_argument(
        "--kept", type=Path, default=Path(".data/fuzz"), help="the folder for files that fail"
    )
    options = parser.parse_args()
    options.kept.mkdir(parents=True, exist_ok=True)
    tally = _oversee(options.start, time.time() + options.seconds, options.kept)
    for kind, count in tally.most_common():
        sys.stdout.write(f"{count:8}  {kind}\n")
    found = tally["unnamed"] + tally["hang"] + tally["crash"]
    if found:
        sys.stdout.write(f"{found} files kept in {options.kept}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
