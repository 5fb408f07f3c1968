"""Reference of the metrics: every series that the two services export, and its labels."""

import os
from collections.abc import Mapping
from unittest.mock import patch

from faststream.asgi import AsgiFastStream
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.metrics import MetricWrapperBase

from contracts.imaging import METHODS
from contracts.jobs import JOBS
from contracts.methods import Transport
from docs.generate.markdown import table
from services.gateway.access.limits.policies import POLICIES
from services.gateway.app import create_app as create_gateway
from services.gateway.server.refusals import REASONS
from services.gateway.settings import GatewaySettings
from services.gateway.webhooks.dispatcher import Outcome
from services.imaging.app import create_app as create_imaging
from services.imaging.settings import ImagingSettings
from services.runtime.rpc.broker import Broker
from services.runtime.rpc.discarded import Discarded
from services.runtime.storage.records import Kind, Place

_QUEUES = [*(m.address(t) for t in (Transport.LIST, Transport.STREAM) for m in METHODS), JOBS]
_VALUES: Mapping[tuple[str, str], str] = {
    ("darkroom_call_seconds", "side"): "`client`: waits for the reply. `server`: sends it.",
    ("darkroom_call_seconds", "method"): ", ".join(f"`{method.name}`" for method in METHODS),
    ("darkroom_call_seconds", "transport"): ", ".join(f"`{name}`" for name in Transport),
    ("darkroom_call_seconds", "outcome"): "`ok`; `cancelled`: the client has left; `lost`: no "
    "reply was sent; or the [code of an error](../errors/index.md)",
    ("darkroom_store_seconds", "operation"): "`put`, `read`, `open`, `forget`, `size`, `delete`, "
    "`list`, `remove_unfinished`, `free`, `check`",
    ("darkroom_store_seconds", "outcome"): "`ok`; `missing`: nothing is stored there; `full`; "
    "`unavailable`: the store does not answer, or refuses; `error`: a fault of the software",
    ("darkroom_store_objects", "project"): "`default`",
    ("darkroom_store_objects", "place"): ", ".join(f"`{place}`" for place in Place),
    ("darkroom_store_bytes", "project"): "as for `darkroom_store_objects`",
    ("darkroom_store_bytes", "place"): "as for `darkroom_store_objects`",
    ("darkroom_corrupt_blobs", "kind"): ", ".join(f"`{kind}`" for kind in Kind),
    ("darkroom_dropped", "reason"): ", ".join(f"`{k.reason}`" for k in Discarded.__subclasses__()),
    ("darkroom_refused_connections", "reason"): ", ".join(f"`{name}`" for name in REASONS),
    ("darkroom_limited", "policy"): ", ".join(f"`{name}`" for name in POLICIES),
    ("darkroom_webhooks", "outcome"): ", ".join(f"`{name}`" for name in Outcome),
    ("darkroom_source_fetches", "source"): "the names in the file `DARKROOM_SOURCES`",
    ("darkroom_source_fetches", "outcome"): "`changed`: fetched; `unchanged`; or the [code of an "
    "error](../errors/index.md)",
    ("darkroom_source_open", "source"): "as for `darkroom_source_fetches`",
    ("darkroom_queue_waiting", "address"): ", ".join(f"`{name}`" for name in _QUEUES),
    ("darkroom_queue_age_seconds", "address"): "as for `darkroom_queue_waiting`",
    ("darkroom_jobs", "state"): "`queued`, `running`, `later`",
}
_PAGE = """# Metrics

Each process of both services answers `GET /metrics` in Prometheus's text format. The guide
[Monitor](../guides/monitor.md) says which metrics to watch.

{metrics}

- A histogram has the series `..._bucket`, `..._sum` and `..._count`.
- A series with labels appears with its first event: without a webhook there is no
  `darkroom_webhooks_total`.
- The metrics of queues, of jobs and of the store come from Redis, so every process shows the same
  values. Take their maximum, never their sum. Without Redis they keep their last values.
- With a store outside of Redis (`DARKROOM_STORE`) each process adds `darkroom_store_available`: 1
  while the store works, 0 when it does not answer or is full; and `darkroom_store_free_bytes`: the
  bytes that still fit, NaN for a bucket.
- On Linux each process adds the metrics of its own process, without the pool processes of imaging:
  `process_cpu_seconds_total`, `process_resident_memory_bytes`, `process_virtual_memory_bytes`,
  `process_start_time_seconds`, `process_open_fds`, `process_max_fds`.
- `faststream run --workers 2` starts two processes at one port, and a scrape reads one of them.
  To see each process, start one process per port.

## Labels

{labels}
"""


def pages() -> dict[str, str]:
    """Return the page of all metrics. Raises KeyError for a label without a description."""
    with patch.dict(os.environ, clear=True):  # a value of the shell may be invalid
        gateway = _metrics(create_gateway(GatewaySettings()))
        imaging = _metrics(create_imaging(ImagingSettings()))
    everything = imaging | gateway
    rows = [
        (
            f"`{_series(name, metric)}`",
            type(metric).__name__.lower(),
            metric._documentation
            + ("" if name in gateway else " Imaging only.")
            + ("" if name in imaging else " Gateway only."),
        )
        for name, metric in everything.items()
    ]
    labels = [
        (f"`{_series(name, metric)}`", f"`{label}`", _VALUES[name, label])
        for name, metric in everything.items()
        for label in metric._labelnames
    ]
    page = _PAGE.format(
        metrics=table(("metric", "type", "meaning"), rows),
        labels=table(("metric", "label", "values"), labels),
    )
    return {"reference/metrics.md": page}


def _series(name: str, metric: MetricWrapperBase) -> str:
    return f"{name}_total" if isinstance(metric, Counter) else name


def _metrics(app: AsgiFastStream) -> dict[str, MetricWrapperBase]:
    assert isinstance(app.broker, Broker)
    return _declared(app.broker.metrics.registry)


def _declared(registry: CollectorRegistry) -> dict[str, MetricWrapperBase]:
    """Return the metrics by name; those without events too, which no public method lists."""
    collectors = registry._collector_to_names
    return {one._name: one for one in collectors if isinstance(one, MetricWrapperBase)}
