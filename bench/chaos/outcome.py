"""The figures of a scenario, in the columns of the report's table."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Outcome:
    """Figures of a scenario whose claims have all held."""

    scenario: str
    jobs: int  # accepted
    kills: int
    stall: float  # seconds: the longest time without the end of any job while some were open
    seconds: float  # from the first submission to the last job's end
    notes: dict[str, float | str] = field(default_factory=dict)
