"""CPU time and memory of processes and their descendants, read from Linux's /proc."""

import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

_PROC = Path("/proc")
# Fields of proc(5)'s stat, counted after the process's name: the parent, and four CPU times: user
# and system time of the process, then of its children that have ended.
_PARENT, _TIMES = 1, slice(11, 15)


def can_measure() -> bool:
    """Return whether this machine has /proc."""
    return (_PROC / "self" / "stat").exists()


def cpu_of(roots: Iterable[int]) -> float:
    """Return the CPU time, in seconds, of the processes `roots` and all their descendants."""
    stats = _stats()
    ticks = (sum(map(int, stats[pid][_TIMES])) for pid in _family(roots, stats) if pid in stats)
    return sum(ticks) / os.sysconf("SC_CLK_TCK")


def memory_of(root: int) -> float:
    """Return the memory, in MiB, of a process and its descendants; shared pages count once."""
    return sum(_proportional_set_size(pid) for pid in _family([root], _stats())) / 1024


def peak_memory_of(pid: int) -> float:
    """Return the most memory, in MiB, that a process has had: its VmHWM, without descendants."""
    for line in (_PROC / str(pid) / "status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise LookupError(f"/proc has no peak of process {pid}")


def machine_time() -> float:
    """Return the CPU time, in seconds, that this machine has spent since it was started."""
    line = (_PROC / "stat").read_text().partition("\n")[0]
    user, nice, system, _, _, *interrupts = map(int, line.split()[1:8])
    return sum((user, nice, system, *interrupts)) / os.sysconf("SC_CLK_TCK")


def _stats() -> dict[int, list[str]]:
    """Return the fields of each process's stat after its name, which may contain anything."""
    found = {}
    for path in _PROC.glob("[0-9]*/stat"):
        try:
            found[int(path.parent.name)] = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # the process has ended meanwhile
    return found


def _family(roots: Iterable[int], stats: dict[int, list[str]]) -> list[int]:
    children: defaultdict[int, list[int]] = defaultdict(list)
    for pid, fields in stats.items():
        children[int(fields[_PARENT])].append(pid)
    family = list(roots)
    for pid in family:
        family += children[pid]
    return family


def _proportional_set_size(pid: int) -> int:
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
