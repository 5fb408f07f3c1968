"""The state of the suite, as `GET /v1/system` returns it: workers, queues and the backlog."""

from pydantic import BaseModel


class Queue(BaseModel):
    """Messages of one address, waiting or being handled, and the oldest one's age in seconds."""

    waiting: int
    age: float


class Backlog(BaseModel):
    """The open jobs, and the rate at which jobs end."""

    queued: int
    running: int
    later: int  # waiting for a retry
    age: float  # seconds since the oldest queued job was accepted
    rate: float  # jobs a second that ended in the last minute


class System(BaseModel):
    """Live workers by name, with the fields of their heartbeats; queues by address; open jobs."""

    workers: dict[str, dict[str, str | int | float | list[str]]]
    queues: dict[str, Queue]
    jobs: Backlog
