"""A process's metrics, for Prometheus. Label values come from code, never from a client."""

from collections.abc import Callable, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from services.runtime.introspection.queues import Queue
from services.runtime.jobs.backlog import Backlog

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """Everything that this process counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        # prometheus_client looks a series up under a lock, which costs more than to observe.
        self._series: dict[tuple[str, str, str, str], Histogram] = {}
        self._calls = Histogram(
            "darkroom_call_seconds",
            "Calls: a `client` waits for the answer, a `server` gives it.",
            ["side", "method", "transport", "outcome"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.dropped = Counter(
            "darkroom_dropped",
            "Requests let go without an answer, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self.webhooks = Counter(
            "darkroom_webhooks",
            "Tries to tell of a job's end, by outcome.",
            ["outcome"],
            registry=self.registry,
        )

        self._waiting = Gauge(
            "darkroom_queue_waiting",
            "Requests or jobs that wait or are in hand.",
            ["address"],
            registry=self.registry,
        )
        self._age = Gauge(
            "darkroom_queue_age_seconds",
            "How long the first of them has been there.",
            ["address"],
            registry=self.registry,
        )

        self._jobs = Gauge(
            "darkroom_jobs",
            "Jobs that are queued, that run, that wait to be tried again (later).",
            ["state"],
            registry=self.registry,
        )
        self._jobs_age = Gauge(
            "darkroom_jobs_age_seconds",
            "How long the first job in line has waited.",
            registry=self.registry,
        )
        self._jobs_rate = Gauge(
            "darkroom_jobs_rate", "Jobs a second that ended.", registry=self.registry
        )

    def observe_call(
        self, side: str, method: str, transport: str, outcome: str, seconds: float
    ) -> None:
        """Take in one call."""
        key = (side, method, transport, outcome)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = self._calls.labels(*key)
        series.observe(seconds)

    def show_queues(self, queues: Mapping[str, Queue]) -> None:
        """Take in how the queues are."""
        for address, queue in queues.items():
            self._waiting.labels(address).set(queue.waiting)
            self._age.labels(address).set(queue.age)

    def show_jobs(self, jobs: Backlog) -> None:
        """Take in how the jobs are."""
        for state in ("queued", "running", "later"):
            self._jobs.labels(state).set(getattr(jobs, state))
        self._jobs_age.set(jobs.age)
        self._jobs_rate.set(jobs.rate)

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Show what `value()` is at the moment when somebody looks."""
        Gauge(name, text, registry=self.registry).set_function(value)

    def text(self) -> bytes:
        """Everything, in Prometheus's text format."""
        return generate_latest(self.registry)
