"""Keys and sessions in the OpenAPI document: what each route needs, by its rule."""

from typing import Any

from services.gateway.access.keys.sessions import COOKIE
from services.gateway.access.presets.presets import takes_preset
from services.gateway.access.rules import RULES, Rule
from services.gateway.access.signatures import ANONYMOUS_SCOPES
from services.gateway.access_settings import AccessSettings

_SCHEMES = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "dk_{id}_{secret}",
        "description": "A key. A route names the scope that the key needs. While access is open, "
        "only the routes of keys, of sessions and of the secret of webhooks need one.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "The cookie of `POST /v1/session`, for what a browser sends without "
        "`Authorization`: WebSockets, event streams and pictures. Over https the name begins with "
        "`__Host-`, and below a path prefix with `__Secure-`.",
    },
    "signature": {
        "type": "apiKey",
        "in": "query",
        "name": "sig",
        "description": "The signature of the whole address, for pictures of pages whose readers "
        "have no key. It comes with `kid` and `exp`.",
    },
}

_NEEDS = {
    False: "With `DARKROOM_ACCESS=keys`, the key needs the scope `{}`.",
    True: "The key needs the scope `{}`, even while access is open.",
}


def describe_access(document: dict[str, Any], settings: AccessSettings) -> None:
    """Say in the OpenAPI document what each route needs by these settings."""
    document["components"]["securitySchemes"] = _SCHEMES
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            rule = RULES[path][method.upper()]
            operation["security"] = _alternatives(rule, path, method, settings)
            if rule.scope is not None:
                operation["x-scope"] = rule.scope
                operation["description"] += f"\n\n{_NEEDS[rule.always].format(rule.scope)}"
    for methods in document["webhooks"].values():
        for operation in methods.values():
            operation["security"] = []  # it is signed


def _alternatives(
    rule: Rule, path: str, method: str, settings: AccessSettings
) -> list[dict[str, list[str]]]:
    """Return what a request may have: nothing, a key, a session, or a signature."""
    if rule.open:
        return []
    is_open = settings.access != "keys"
    reads = method == "get" and rule.scope in ANONYMOUS_SCOPES
    by_preset = reads and takes_preset({"path": path, "method": method.upper()})
    free = not rule.always and (is_open or (by_preset and settings.anonymous == "presets"))
    signed = reads and (is_open or settings.anonymous != "none")
    nothing: list[dict[str, list[str]]] = [{}] if free else []
    return [
        *nothing,
        {"key": []},
        *([] if rule.in_header else [{"session": list[str]()}]),
        *([{"signature": list[str]()}] if signed else []),
    ]
