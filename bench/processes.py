"""The CPU time of processes and all that they have started, as Linux counts it."""

import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

_PROC = Path("/proc")
# After the name, which may have anything in it: the parent, and the four times of proc(5), which
# are its own and those of its children that have ended.
_PARENT, _TIMES = 1, slice(11, 15)


def counted() -> bool:
    """Whether this machine tells."""
    return (_PROC / "self" / "stat").exists()


def cpu_of(roots: Iterable[int]) -> float:
    """Seconds used by these processes and their descendants."""
    children: defaultdict[int, list[int]] = defaultdict(list)
    ticks: dict[int, int] = {}
    for path in _PROC.glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        pid = int(path.parent.name)
        children[int(fields[_PARENT])].append(pid)
        ticks[pid] = sum(map(int, fields[_TIMES]))
    found = list(roots)
    for pid in found:
        found += children[pid]
    return sum(ticks.get(pid, 0) for pid in found) / os.sysconf("SC_CLK_TCK")
