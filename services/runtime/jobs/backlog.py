"""Work that is ahead of a job that is accepted now."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from services.runtime.retry_after import whole_seconds


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
        """Seconds after which to submit a job again that is refused now: 1 to 60.

        The rate is that of the workers only if they had no rest for a minute. So it is never more
        than half of the time for which the first job has waited.
        """
        half = self.age / 2
        ahead = self.queued + self.running + 1
        return whole_seconds(min(half, ahead / self.rate) if self.rate else half)
