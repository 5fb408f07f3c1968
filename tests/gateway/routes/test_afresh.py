"""`Cache-Control: no-cache`: with a key by its scope, and for everybody by a rate."""

from fastapi import Request

from contracts.access.keys import EVERY_SCOPE, KeyScope
from services.gateway.access.caller import EVERYBODY, Caller, set_caller
from services.gateway.routes.parameters import wants_new
from services.gateway.token_bucket import TokenBucket


def asked(caller: Caller, directives: bytes = b"max-age=0, no-cache") -> Request:
    request = Request({"type": "http", "headers": [(b"cache-control", directives)]})
    set_caller(request.scope, caller)
    return request


def test_a_key_needs_the_scope_and_has_no_rate() -> None:
    rate = TokenBucket(rate=1e-9, size=1)
    allowed = Caller(key="mzxw6ytboi", scopes=frozenset({KeyScope.RENDER, KeyScope.AFRESH}))
    refused = Caller(key="mzxw6ytboi", scopes=EVERY_SCOPE - {KeyScope.AFRESH})

    assert [wants_new(asked(allowed), rate) for _ in "abc"] == [True] * 3
    assert not wants_new(asked(refused), rate)
    assert not wants_new(asked(allowed, b"no-store"), rate)


def test_callers_without_a_key_share_a_rate_that_refused_ones_leave_alone() -> None:
    rate = TokenBucket(rate=1e-9, size=1)
    signed = Caller(scopes=frozenset({KeyScope.RENDER}))

    assert not wants_new(asked(signed), rate)
    assert [wants_new(asked(EVERYBODY), rate) for _ in "ab"] == [True, False]
