"""What is before a job that is accepted now, and so how long it may take."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Backlog:
    """What is before a job that is accepted now."""

    queued: int
    running: int
    later: int  # waiting for a retry
    age: float  # seconds that the first in line has waited
    rate: float  # jobs a second that ended in the last minute

    @property
    def wait(self) -> int:
        """Seconds until a job that is accepted now has ended, as far as one can tell; 1 to 60."""
        ahead = self.queued + self.running + 1
        return min(60, max(1, round(ahead / self.rate))) if self.rate else min(60, max(1, ahead))
