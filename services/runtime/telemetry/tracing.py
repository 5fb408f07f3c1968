"""W3C trace context, in through HTTP, through Redis and back (https://www.w3.org/TR/trace-context).

With OpenTelemetry's SDK set up by whoever runs a process, every call is a span; without it the
context that came in is passed on as it is. Span names are methods and routes, so there are few.
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


def _nobody_traces() -> bool:
    """Whether spans would go nowhere: making them all the same takes a tenth of a small call."""
    return isinstance(_tracer, ProxyTracer) and isinstance(
        get_tracer_provider(), ProxyTracerProvider
    )


def trace_headers() -> dict[str, str]:
    """The headers that carry the present context; none where there is no trace."""
    headers: dict[str, str] = {}
    if get_current_span() is not INVALID_SPAN:
        _propagator.inject(headers)
    return headers


@contextmanager
def client_span(name: str) -> Iterator[Span]:
    """A call that this process makes."""
    if _nobody_traces():
        yield get_current_span()
        return
    with _tracer.start_as_current_span(name, kind=SpanKind.CLIENT) as span:
        yield span


@contextmanager
def server_span(name: str, headers: Mapping[str, str]) -> Iterator[Span]:
    """A call that this process answers, within the trace that its headers name.

    Headers that name none, or are malformed, start a new one.
    """
    if _TRACEPARENT not in headers and _nobody_traces():
        yield INVALID_SPAN
        return
    parent: Context = _propagator.extract(headers, context=Context())
    with _tracer.start_as_current_span(name, context=parent, kind=SpanKind.SERVER) as span:
        yield span
