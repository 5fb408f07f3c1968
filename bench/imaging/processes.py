"""What the machine is busy with, and the memory of processes, as Linux counts them."""

import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

_PROC = Path("/proc")
_PARENT = 1  # after the name, in proc(5)'s stat


def machine_time() -> float:
    """Seconds of CPU time that everything on this machine has used since it started."""
    user, nice, system, _, _, *interrupts = map(int, _line("stat").split()[1:8])
    return sum((user, nice, system, *interrupts)) / os.sysconf("SC_CLK_TCK")


def memory_of(root: int) -> float:
    """MiB that a process and its descendants hold; what they share is counted once."""
    return sum(_proportional(pid) for pid in _family(root)) / 1024


def _line(name: str) -> str:
    return (_PROC / name).read_text().partition("\n")[0]


def _family(root: int) -> Iterable[int]:
    children: defaultdict[int, list[int]] = defaultdict(list)
    for path in _PROC.glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        children[int(fields[_PARENT])].append(int(path.parent.name))
    found = [root]
    for pid in found:
        found += children[pid]
    return found


def _proportional(pid: int) -> int:
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
