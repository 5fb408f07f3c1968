"""Work that is ahead of a job that is accepted now."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field


@dataclass(frozen=True)
class Backlog:
    """The jobs that are open, and the rate at which jobs end."""

    queued: Annotated[int, Field(description="Number of queued jobs.")]
    running: Annotated[int, Field(description="Number of running jobs.")]
    later: Annotated[int, Field(description="Number of jobs that wait for a retry.")]
    age: Annotated[float, Field(description="Seconds that the first queued job has waited.")]
    rate: Annotated[float, Field(description="Jobs per second that ended in the last minute.")]

    @property
    def wait(self) -> int:
        """Estimated seconds until a job that is accepted now has ended: 1 to 60.

        Right while the workers have no rest, as behind a full queue; too long after quiet times.
        """
        ahead = self.queued + self.running + 1
        return min(60, max(1, round(ahead / self.rate))) if self.rate else min(60, max(1, ahead))
