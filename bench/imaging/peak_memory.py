"""The peak memory of one render in a fresh process: `python -m bench.imaging.peak_memory CASE`."""

import json
import subprocess
import sys
from pathlib import Path

from bench.environments import ROOT
from bench.imaging.cases import CASES, Case
from services.imaging.engine import pipeline

_SELF = Path("/proc/self")
_RESET_THE_PEAK = "5"  # proc(5), clear_refs


def peak_of(case: Case) -> tuple[float, float]:
    """Return MiB: the peak of a process that renders the case once, and the render's part of it."""
    command = [sys.executable, "-m", "bench.imaging.peak_memory", case.name]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    whole, part = json.loads(output)
    return float(whole), float(part)


def main() -> None:
    """Render the case that the command line names, and print both figures as JSON."""
    case = {case.name: case for case in CASES}[sys.argv[1]]
    data, requested = case.photo.read(), case.pipeline()
    pipeline.warm_up()
    (_SELF / "clear_refs").write_text(_RESET_THE_PEAK)
    before = _status("VmRSS")
    pipeline.run(data, requested)
    whole = _status("VmHWM")
    sys.stdout.write(json.dumps([whole, whole - before]) + "\n")


def _status(name: str) -> float:
    """Return a field of /proc/self/status, in MiB."""
    for line in (_SELF / "status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise LookupError(name)


if __name__ == "__main__":
    main()
