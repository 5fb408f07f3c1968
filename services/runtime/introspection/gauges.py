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
            "Requests or jobs that wait or are being handled.",
            ["address"],
            registry=registry,
        )
        self._age = Gauge(
            "darkroom_queue_age_seconds",
            "Age of the first of them.",
            ["address"],
            registry=registry,
        )
        self._jobs = Gauge(
            "darkroom_jobs",
            "Jobs by state: queued, running, or waiting for their next attempt (later).",
            ["state"],
            registry=registry,
        )
        self._jobs_age = Gauge(
            "darkroom_jobs_age_seconds",
            "How long the first job in the queue has waited.",
            registry=registry,
        )
        self._jobs_rate = Gauge(
            "darkroom_jobs_rate", "Jobs that ended, per second.", registry=registry
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
