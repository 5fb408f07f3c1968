"""W3C trace context through HTTP and Redis (https://www.w3.org/TR/trace-context).

With OpenTelemetry's SDK set up in a process, each call is a span. Without the SDK the process
passes on the context that came in. Span names are methods and routes, so there are few of them.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

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

TRACE_HEADERS = (_TRACEPARENT, "tracestate")
"""The headers that carry a trace context, in lower case."""

_LOOK = 1.0  # seconds from one look for an SDK to the next, which reads the environment
_without_sdk_until = 0.0


def has_sdk() -> bool:
    """Return whether an SDK takes spans; making them without one takes a tenth of a small call."""
    global _without_sdk_until
    if not isinstance(_tracer, ProxyTracer):
        return True
    now = time.monotonic()
    if now < _without_sdk_until:
        return False
    if not isinstance(get_tracer_provider(), ProxyTracerProvider):
        return True
    _without_sdk_until = now + _LOOK
    return False


def trace_headers() -> dict[str, str]:
    """Return the headers that carry the current trace context; {} without a trace."""
    headers: dict[str, str] = {}
    if get_current_span() is not INVALID_SPAN:
        _propagator.inject(headers)
    return headers


def inner_span(
    name: str, kind: SpanKind = SpanKind.INTERNAL
) -> AbstractContextManager[Span, bool | None]:
    """Open a span for a step of the current work; of kind CLIENT for a call to another process."""
    if not has_sdk():
        return nullcontext(get_current_span())
    return _tracer.start_as_current_span(name, kind=kind)


def continued_span(
    name: str,
    headers: Mapping[str, str | Sequence[str]],
    kind: SpanKind = SpanKind.SERVER,
    *,
    job: str | None = None,
) -> AbstractContextManager[Span, bool | None]:
    """Open a span for work that another process has asked for, within the trace of `headers`.

    A header with several lines is a list of them. Without a `traceparent`, with a malformed one,
    and with several, a new trace starts. The span of a `job` has its id as `darkroom.job`.
    """
    if _TRACEPARENT not in headers and not has_sdk():
        return nullcontext(INVALID_SPAN)
    parent = Context()
    if not _has_several_parents(headers):
        parent = _propagator.extract(headers, context=parent)
    about = {"darkroom.job": job} if job else None
    return _tracer.start_as_current_span(name, context=parent, kind=kind, attributes=about)


def _has_several_parents(headers: Mapping[str, str | Sequence[str]]) -> bool:
    parents = headers.get(_TRACEPARENT, "")
    return not isinstance(parents, str) and len(parents) > 1
