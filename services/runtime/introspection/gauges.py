"""Gauges of the queues and the jobs, for Prometheus."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Gauge

from services.runtime.introspection.queues import Queue
from services.runtime.jobs.backlog import Backlog


class QueueGauges:
    """Gauges in `registry`, set to what Redis holds each time that the metrics are read."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._waiting = Gauge(
            "darkroom_queue_waiting",
            "Entries of a queue: those that wait and, in a stream, those that are being handled.",
            ["address"],
            registry=registry,
        )
        self._age = Gauge(
            "darkroom_queue_age_seconds",
            "Age of the first entry of a queue; 0 for a list, whose entries have no time.",
            ["address"],
            registry=registry,
        )
        self._jobs = Gauge(
            "darkroom_jobs",
            "Jobs that have not ended, by state; `later` waits for a retry.",
            ["state"],
            registry=registry,
        )
        self._jobs_age = Gauge(
            "darkroom_jobs_age_seconds",
            "Time that the first queued job has waited.",
            registry=registry,
        )
        self._jobs_rate = Gauge(
            "darkroom_jobs_rate",
            "Jobs per second that ended in the last minute; a cancelled job does not count.",
            registry=registry,
        )

    def set_queues(self, queues: Mapping[str, Queue]) -> None:
        """Set the gauges of the queues, by address."""
        for address, queue in queues.items():
            self._waiting.labels(address).set(queue.waiting)
            self._age.labels(address).set(queue.age)

    def set_jobs(self, backlog: Backlog) -> None:
        """Set the gauges of the jobs."""
        for state in ("queued", "running", "later"):
            self._jobs.labels(state).set(getattr(backlog, state))
        self._jobs_age.set(backlog.age)
        self._jobs_rate.set(backlog.rate)
