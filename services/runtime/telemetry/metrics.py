"""Metrics of a process, for Prometheus. Label values come from code, never from a client."""

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""Upper bounds of the histogram of calls, in seconds."""


class Metrics:
    """The registry of a process, and the metrics that every process has."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        # prometheus_client finds a series under a lock, which costs more than an observation.
        self._series: dict[tuple[str, ...], Histogram] = {}
        self._calls = Histogram(
            "darkroom_call_seconds",
            "Seconds that a call took: a `client` waits for the reply, a `server` sends it.",
            ["side", "method", "transport", "outcome"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._store = Histogram(
            "darkroom_store_seconds",
            "Seconds that an operation of the store of bytes took. Of a read, the time counts in"
            " which the store was waited for.",
            ["operation", "outcome"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.dropped = Counter(
            "darkroom_dropped",
            "Requests that a worker ended without a reply on purpose, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self.refused_connections = Counter(
            "darkroom_refused_connections",
            "Connections that the gateway ended before their request was complete, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self.internal_errors = Counter(
            "darkroom_internal_errors",
            "Requests and variants of jobs that failed with `internal`: faults of the software.",
            registry=self.registry,
        )
        self.corrupt_blobs = Counter(
            "darkroom_corrupt_blobs",
            "Images and renditions whose stored bytes were missing, or not those of their digest.",
            ["kind"],
            registry=self.registry,
        )
        self.renders_collapsed = Counter(
            "darkroom_renders_collapsed",
            "Requests that waited for the render of an equal request: in a gateway, or in a worker"
            " for the calls of other gateways.",
            registry=self.registry,
        )
        self.webhooks = Counter(
            "darkroom_webhooks",
            "Attempts to deliver a webhook, by outcome.",
            ["outcome"],
            registry=self.registry,
        )

    def observe_call(
        self, side: str, method: str, transport: str, outcome: str, seconds: float
    ) -> None:
        """Count one call of `seconds`; `side` is client or server."""
        key = (side, method, transport, outcome)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = self._calls.labels(*key)
        series.observe(seconds)

    def observe_store(self, operation: str, outcome: str, seconds: float) -> None:
        """Count one operation of the store of bytes."""
        key = (operation, outcome)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = self._store.labels(*key)
        series.observe(seconds)

    def watch(self, name: str, help_text: str, value: Callable[[], float]) -> None:
        """Add a gauge whose value is `value()` at the moment when the metrics are read."""
        Gauge(name, help_text, registry=self.registry).set_function(value)

    def text(self) -> bytes:
        """Return every metric in Prometheus's text format."""
        return generate_latest(self.registry)
