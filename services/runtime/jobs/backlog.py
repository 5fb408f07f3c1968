"""How much work is ahead of a job that is accepted now."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Backlog:
    """The jobs that are open, and the rate at which jobs end."""

    queued: int
    running: int
    later: int  # waiting for a retry
    age: float  # seconds that the first queued job has waited
    rate: float  # jobs per second that ended in the last minute

    @property
    def wait(self) -> int:
        """Estimated seconds until a job that is accepted now has ended: 1 to 60."""
        ahead = self.queued + self.running + 1
        return min(60, max(1, round(ahead / self.rate))) if self.rate else min(60, max(1, ahead))
