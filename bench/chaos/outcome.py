"""What a scenario measured, in the columns of the table."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Outcome:
    """The figures of a scenario that has held."""

    scenario: str
    jobs: int  # that were accepted
    kills: int
    stall: float  # seconds without any job's end while some were open, at most
    seconds: float  # from the first job to the last one's end
    notes: dict[str, float | str] = field(default_factory=dict)
