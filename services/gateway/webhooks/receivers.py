"""The hosts that webhooks go to: how many deliveries each may get now.

A receiver that does not answer holds a slot until the timeout. So a host has few slots, hosts that
have not answered yet share half of all slots, and a host that stays silent gets a pause (a circuit
breaker): after it, one delivery tries again.
"""

import time
from collections import OrderedDict
from dataclasses import dataclass

from services.runtime.jobs.webhook_queue import HostLimit

_SILENCES = 5  # in a row, after which a host gets a pause
_FIRST_PAUSE = 15.0  # seconds; it doubles with each further silence
_LONGEST_PAUSE = 600.0
_MOST_HOSTS = 256  # that are remembered: the latest ones


@dataclass
class _Host:
    running: int = 0
    silences: int = 0  # in a row
    paused_until: float = 0.0  # on the monotonic clock
    answers: bool = False


class Receivers:
    """Counts the running deliveries and the silences of each host."""

    def __init__(self, slots: int, *, host_slots: int) -> None:
        self._slots = slots
        self._host_slots = host_slots
        self._hosts: OrderedDict[str, _Host] = OrderedDict()

    @property
    def of_host(self) -> int:
        """Return how many deliveries a host may get that is not in `limits`."""
        return min(self._host_slots, self._slots)

    @property
    def unanswered(self) -> int:
        """Return how many deliveries all hosts may get that have not answered yet."""
        running = sum(host.running for host in self._hosts.values() if not host.answers)
        return max(1, self._slots // 2) - running

    def limits(self) -> list[HostLimit]:
        """Return the limit of each host that is remembered."""
        now = time.monotonic()
        return [
            HostLimit(name, self._free(host, now), max(0.0, host.paused_until - now), host.answers)
            for name, host in self._hosts.items()
        ]

    def on_start(self, name: str) -> None:
        """Count a delivery that starts."""
        host = self._hosts.setdefault(name, _Host())
        self._hosts.move_to_end(name)
        host.running += 1

    def on_end(self, name: str, *, answered: bool | None) -> None:
        """Count a delivery that ended: answered or not; None if it asked nothing of the host."""
        host = self._hosts[name]
        host.running -= 1
        if answered is not None:
            host.answers = answered
            host.silences = 0 if answered else host.silences + 1
            if (more := host.silences - _SILENCES) >= 0:
                pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(more, 10))
                host.paused_until = time.monotonic() + pause
        self._forget()

    def _free(self, host: _Host, now: float) -> int:
        if now < host.paused_until:
            return 0
        slots = 1 if host.silences >= _SILENCES else self.of_host
        return slots - host.running

    def _forget(self) -> None:
        """Forget the least recently used hosts, except those with a running delivery."""
        idle = [name for name, host in self._hosts.items() if not host.running]
        for name in idle[: max(0, len(self._hosts) - _MOST_HOSTS)]:
            del self._hosts[name]
