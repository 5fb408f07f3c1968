"""What a gateway says of the suite: its workers, and what waits for them."""

from pydantic import BaseModel


class Queue(BaseModel):
    """How many wait or are in hand, and the seconds that the first has."""

    waiting: int
    age: float


class Backlog(BaseModel):
    """The jobs that are open, and how they get on."""

    queued: int
    running: int
    later: int  # waiting for a retry
    age: float  # seconds that the first in line has waited
    rate: float  # jobs a second that ended in the last minute


class System(BaseModel):
    """The workers that are alive by name, with what each says of itself; the queues by address."""

    workers: dict[str, dict[str, str | int | float]]
    queues: dict[str, Queue]
    jobs: Backlog
