"""W3C trace context through HTTP and Redis (https://www.w3.org/TR/trace-context).

With OpenTelemetry's SDK set up in a process, each call is a span. Without the SDK the process
passes on the context that came in. Span names are methods and routes, so there are few of them.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry.context import Context
from opentelemetry.trace import (
    INVALID_SPAN,
    ProxyTracer,
    ProxyTracerProvider,
    Span,
    SpanKind,
    get_current_span,
    get_tracer,
    get_tracer_provider,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_propagator = TraceContextTextMapPropagator()
_tracer = get_tracer("darkroom")
_TRACEPARENT = "traceparent"


def _without_sdk() -> bool:
    """Return whether no SDK takes spans; making them anyway takes a tenth of a small call."""
    return isinstance(_tracer, ProxyTracer) and isinstance(
        get_tracer_provider(), ProxyTracerProvider
    )


def trace_headers() -> dict[str, str]:
    """Return the headers that carry the current trace context; {} without a trace."""
    headers: dict[str, str] = {}
    if get_current_span() is not INVALID_SPAN:
        _propagator.inject(headers)
    return headers


@contextmanager
def client_span(name: str) -> Iterator[Span]:
    """Open a span for a call that this process makes."""
    if _without_sdk():
        yield get_current_span()
        return
    with _tracer.start_as_current_span(name, kind=SpanKind.CLIENT) as span:
        yield span


@contextmanager
def server_span(name: str, headers: Mapping[str, str]) -> Iterator[Span]:
    """Open a span for a call that this process answers, within the trace that `headers` name.

    Missing or malformed headers start a new trace.
    """
    if _TRACEPARENT not in headers and _without_sdk():
        yield INVALID_SPAN
        return
    parent: Context = _propagator.extract(headers, context=Context())
    with _tracer.start_as_current_span(name, context=parent, kind=SpanKind.SERVER) as span:
        yield span
