"""What one render takes at its peak, in a fresh process: `python -m bench.imaging.peak_memory resize`."""

import json
import subprocess
import sys
from pathlib import Path

from bench.environments import ROOT
from bench.imaging.cases import CASES, Case
from services.imaging.engine import pipeline

_SELF = Path("/proc/self")
_FORGET_THE_PEAK = "5"  # proc(5), clear_refs


def peak_of(case: Case) -> tuple[float, float]:
    """MiB of a process at its peak, and how many of them came with the render."""
    command = [sys.executable, "-m", "bench.imaging.peak_memory", case.name]
    heard = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    whole, more = json.loads(heard)
    return float(whole), float(more)


def main() -> None:
    """Be the fresh process."""
    case = {case.name: case for case in CASES}[sys.argv[1]]
    data, asked = case.photo.read(), case.pipeline()
    pipeline.warm_up()
    (_SELF / "clear_refs").write_text(_FORGET_THE_PEAK)
    before = _status("VmRSS")
    pipeline.run(data, asked)
    whole = _status("VmHWM")
    sys.stdout.write(json.dumps([whole, whole - before]) + "\n")


def _status(name: str) -> float:
    for line in (_SELF / "status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise LookupError(name)


if __name__ == "__main__":
    main()
