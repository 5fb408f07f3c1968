"""The rules of W3C Trace Context, as cases: which request headers continue a trace, and how.

The cases follow the text of https://www.w3.org/TR/trace-context: section 3.2 for `traceparent`, 3.3
for `tracestate`, 4 for what a participant may change.
"""

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from opentelemetry.sdk.trace import TracerProvider
from starlette.types import Message, Receive, Scope, Send

from bench.exact.judges import Case, Judge
from services.gateway.middleware.tracing import TraceMiddleware
from services.runtime.telemetry import tracing

_TRACE, _PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
_VALID = f"00-{_TRACE}-{_PARENT}-01"
_SENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_LONGEST = "k" * 256 + "=" + "v" * 256
_FULL = ",".join(f"k{number}=v" for number in range(32))

Lines = Sequence[str]


@dataclass(frozen=True)
class _Rule:
    """Headers of a request, and what the next participant may receive."""

    name: str
    parents: Lines
    states: Lines = ()
    continues: bool = True
    passed_on: str | None = None  # None: no tracestate


_PARENTS = (
    _Rule("a valid traceparent", [_VALID]),
    _Rule("a traceparent that is not sampled", [f"00-{_TRACE}-{_PARENT}-00"]),
    _Rule("unknown flags", [f"00-{_TRACE}-{_PARENT}-ff"]),
    _Rule("spaces around the value", [f" \t{_VALID}\t "]),
    _Rule("a higher version of the same form", [f"cc-{_TRACE}-{_PARENT}-01"]),
    _Rule("a higher version with more fields", [f"cc-{_TRACE}-{_PARENT}-01-what-else"]),
    *(
        _Rule(name, parents, continues=False)
        for name, parents in (
            ("no traceparent", []),
            ("an empty traceparent", [""]),
            ("two lines of traceparent", [_VALID, f"00-{'c' * 32}-{'d' * 16}-01"]),
            ("two equal lines of traceparent", [_VALID, _VALID]),
            ("two values in one line", [f"{_VALID},{_VALID}"]),
            ("version ff", [f"ff-{_TRACE}-{_PARENT}-01"]),
            ("an upper-case version", [f"CC-{_TRACE}-{_PARENT}-01"]),
            ("a version of one digit", [f"0-{_TRACE}-{_PARENT}-01"]),
            ("a version of three digits", [f"000-{_TRACE}-{_PARENT}-01"]),
            ("a version that is no number", [f".0-{_TRACE}-{_PARENT}-01"]),
            ("version 00 with more fields", [f"{_VALID}-more"]),
            ("version 00 with a dash at its end", [f"{_VALID}-"]),
            ("a higher version with a dot after the flags", [f"cc-{_TRACE}-{_PARENT}-01.more"]),
            ("an upper-case trace id", [f"00-{_TRACE.upper()}-{_PARENT}-01"]),
            ("a trace id of zeros", [f"00-{'0' * 32}-{_PARENT}-01"]),
            ("a short trace id", [f"00-{_TRACE[:-1]}-{_PARENT}-01"]),
            ("a long trace id", [f"00-{_TRACE}0-{_PARENT}-01"]),
            ("a trace id that is no number", [f"00-.{_TRACE[1:]}-{_PARENT}-01"]),
            ("an upper-case parent id", [f"00-{_TRACE}-{_PARENT.upper()}-01"]),
            ("a parent id of zeros", [f"00-{_TRACE}-{'0' * 16}-01"]),
            ("a short parent id", [f"00-{_TRACE}-{_PARENT[:-1]}-01"]),
            ("a long parent id", [f"00-{_TRACE}-{_PARENT}0-01"]),
            ("a parent id that is no number", [f"00-{_TRACE}-.{_PARENT[1:]}-01"]),
            ("flags of one digit", [f"00-{_TRACE}-{_PARENT}-1"]),
            ("flags of three digits", [f"00-{_TRACE}-{_PARENT}-001"]),
            ("flags that are no number", [f"00-{_TRACE}-{_PARENT}-.1"]),
            ("upper-case flags", [f"00-{_TRACE}-{_PARENT}-0A"]),
            ("no flags", [f"00-{_TRACE}-{_PARENT}"]),
            ("other separators", [_VALID.replace("-", "_")]),
        )
    ),
)
_STATES = tuple(
    _Rule(f"tracestate: {name}", [_VALID], states, passed_on=passed_on)
    for name, states, passed_on in (
        ("one member", ["foo=1"], "foo=1"),
        ("several members in their order", ["foo=1,bar=2,baz=3"], "foo=1,bar=2,baz=3"),
        ("several lines", ["foo=1,bar=2", "baz=3"], "foo=1,bar=2,baz=3"),
        ("several lines, one empty", ["foo=1", "", "bar=2"], "foo=1,bar=2"),
        ("empty", [""], None),
        ("empty members", ["foo=1,,,bar=2,"], "foo=1,bar=2"),
        ("spaces and tabs around members", ["foo=1 \t , \t bar=2"], "foo=1,bar=2"),
        ("a space within a value", ["foo=a b"], "foo=a b"),
        ("keys of several tenants", ["fw529@dt=1,9-_*/@a-_*/=2"], "fw529@dt=1,9-_*/@a-_*/=2"),
        ("every character of a key", ["a0-_*/z=1"], "a0-_*/z=1"),
        ("a value with every other sign", ["a=!\"#$%&'()*+-./:;<>?@[]^_`{|}~"],
         "a=!\"#$%&'()*+-./:;<>?@[]^_`{|}~"),
        ("512 characters", [_LONGEST[: 256 + 1 + 255]], _LONGEST[: 256 + 1 + 255]),
        ("the longest key and value", [_LONGEST], _LONGEST),
        ("32 members", [_FULL], _FULL),
        # Section 3.3.1.5: what can't be parsed may be left out as a whole.
        ("33 members", [_FULL + ",one=more"], None),
        ("a key that is too long", ["k" + _LONGEST], None),
        ("a value that is too long", [_LONGEST + "v"], None),
        ("an upper-case key", ["FOO=1"], None),
        ("no value", ["foo"], None),
        ("an equal sign in a value", ["foo=1=2"], None),
        ("a space before the equal sign", ["foo =1"], None),
        ("a member without a key", ["=1"], None),
        ("a tenant without a system", ["foo@=1"], None),
        ("two at signs", ["foo@bar@baz=1"], None),
        ("a byte beyond ASCII", ["foo=\xe4"], None),
    )
)  # fmt: skip


async def _pass_on(rule: _Rule) -> dict[str, str]:
    """Return the headers that a request of the gateway would carry to the next participant."""
    carried: dict[str, str] = {}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        carried.update(tracing.trace_headers())

    async def receive() -> Message:
        raise AssertionError("nothing is read")

    async def send(message: Message) -> None: ...

    fields = [*(("traceparent", line) for line in rule.parents)]
    fields += [("tracestate", line) for line in rule.states]
    headers = [(name.encode(), value.encode("latin-1")) for name, value in fields]
    await TraceMiddleware(app)({"type": "http", "method": "GET", "headers": headers}, receive, send)
    return carried


def _difference(rule: _Rule, carried: dict[str, str]) -> str | None:
    sent = _SENT.fullmatch(carried.get("traceparent", ""))
    if sent is None:
        return f"The next participant receives {carried.get('traceparent')!r}."
    if (sent[1] == _TRACE) != rule.continues:
        return f"The trace is {'a new one' if rule.continues else 'continued'}."
    if sent[2] == _PARENT:
        return "The parent id is that of the request: the gateway has no span."
    if carried.get("tracestate") != rule.passed_on:
        return f"tracestate is {carried.get('tracestate')!r} instead of {rule.passed_on!r}."
    return None


def _cases() -> Iterator[Case]:
    former = tracing._tracer
    tracing._tracer = TracerProvider(shutdown_on_exit=False).get_tracer("judge")
    try:
        for rule in (*_PARENTS, *_STATES):
            yield Case(rule.name, _difference(rule, asyncio.run(_pass_on(rule))))
    finally:
        tracing._tracer = former


JUDGES = (
    Judge(
        "trace-context",
        "trace context in requests, by the rules of the W3C: the rules",
        run=_cases,
        quick=_cases,
    ),
)
