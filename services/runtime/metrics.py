"""A process's metrics, for Prometheus. Label values come from code, never from a client."""

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """Everything that this process counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.calls = Histogram(
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

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Show what `value()` is at the moment when somebody looks."""
        Gauge(name, text, registry=self.registry).set_function(value)

    def text(self) -> bytes:
        """Everything, in Prometheus's text format."""
        return generate_latest(self.registry)
