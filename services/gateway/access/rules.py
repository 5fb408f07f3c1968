"""The scope that a request needs, by its method and the path of its route.

Every route has a rule here, or the gateway does not start: a route without one would be open.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.types import Scope

from contracts.access.keys import KeyScope
from services.gateway.site_lists import PublicPage

WEBSOCKET = "WEBSOCKET"
"""Stands for the method of a WebSocket."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The permission that a request needs: a key with `scope`, any key without it."""

    scope: KeyScope | None = None
    open: bool = False
    """True if the route needs no key."""
    health: bool = False
    """True if the route answers although no setting says who may use the gateway."""
    always: bool = False
    """True if the route needs a key even while access is open."""
    in_header: bool = False
    """True if the route takes a key in `Authorization` alone, and no session."""
    lasts: bool = False
    """True if the answer lasts until its client leaves: its key is checked again meanwhile."""
    page: PublicPage | None = None
    """Name of the page in `DARKROOM_PUBLIC_PAGES`; None if that setting can't open the route."""


_OPEN = Rule(open=True)
_HEALTH = Rule(open=True, health=True)
_RENDER = Rule(KeyScope.RENDER)
_UPLOAD = Rule(KeyScope.UPLOAD)
_FETCH = Rule(KeyScope.FETCH)
_JOBS = Rule(KeyScope.JOBS)
_READ_JOBS = Rule(KeyScope.READ_JOBS)
_STREAM = Rule(KeyScope.READ_JOBS, lasts=True)
_ADMIN = Rule(KeyScope.ADMIN)
_KEYS = Rule(KeyScope.ADMIN, always=True)
_DOCS = Rule(page=PublicPage.DOCS)
_GUIDE = Rule(page=PublicPage.GUIDE)
_ANY_KEY = Rule()

RULES: Mapping[str, Mapping[str, Rule]] = {
    "/v1/render": {"POST": _RENDER},
    "/v1/images": {"GET": _RENDER, "POST": _UPLOAD},
    "/v1/images/{image_id}": {"GET": _RENDER, "PUT": _UPLOAD, "DELETE": _UPLOAD},
    "/v1/images/{image_id}/info": {"GET": _RENDER},
    "/v1/images/{image_id}/render": {"GET": _RENDER},
    "/v1/images/{image_id}/renditions": {"DELETE": _UPLOAD},
    "/v1/fetch": {"GET": _FETCH},
    "/v1/presets": {"GET": _RENDER},
    "/v1/jobs": {"GET": _READ_JOBS, "POST": _JOBS},
    "/v1/jobs/{job_id}": {"GET": _READ_JOBS, "DELETE": _JOBS},
    "/v1/jobs/{job_id}/events": {"GET": _STREAM},
    "/v1/jobs/{job_id}/results": {"GET": _READ_JOBS},
    "/v1/jobs/{job_id}/results/{index}": {"GET": _READ_JOBS},
    "/v1/live": {WEBSOCKET: _STREAM},
    "/v1/dead-letters": {"GET": _ADMIN},
    "/v1/dead-letters/{letter_id}": {"DELETE": _ADMIN},
    "/v1/dead-letters/{letter_id}/raw": {"GET": _ADMIN},
    "/v1/dead-letters/{job_id}/requeue": {"POST": _ADMIN},
    "/v1/system": {"GET": _ADMIN},
    # A session is made of a key that the request has, and ended without one.
    "/v1/session": {"POST": Rule(always=True, in_header=True), "DELETE": _OPEN},
    "/v1/keys": {"GET": _KEYS, "POST": _KEYS},
    "/v1/keys/{key_id}": {"PUT": _KEYS, "DELETE": _KEYS},
    "/v1/keys/{key_id}/rotate": {"POST": _KEYS},
    # A secret is for nobody without a key, as keys are.
    "/v1/webhook-secret": {"GET": _KEYS},
    "/health/live": {"GET": _HEALTH},
    "/health/ready": {"GET": _HEALTH},
    "/metrics": {"GET": Rule(KeyScope.ADMIN, page=PublicPage.METRICS)},
    # The page asks for a key by itself. It is built from the document, which has no secrets.
    "/": {"GET": _OPEN},
    "/web/{path:path}": {"GET": _OPEN},
    "/openapi.json": {"GET": _OPEN},
    "/docs": {"GET": _DOCS},
    "/static-offline-docs/{path:path}": {"GET": _DOCS},
    "/asyncapi": {"GET": _DOCS},
    "/asyncapi/page.css": {"GET": _DOCS},
    "/asyncapi/viewer.js": {"GET": _DOCS},
    "/asyncapi.yaml": {"GET": _DOCS},
    "/guide": {"GET": _GUIDE},
    "/guide/{path:path}": {"GET": _GUIDE},
}
"""The rules. A path that ends in `{path:path}` stands for everything below it."""

_BELOW = "/{path:path}"


class _Node:
    """The routes that begin with some segments of a path."""

    __slots__ = ("below", "methods", "named", "wildcard")

    def __init__(self) -> None:
        self.named: dict[str, _Node] = {}
        self.wildcard: _Node | None = None
        self.methods: Mapping[str, Rule] | None = None
        self.below: Mapping[str, Rule] | None = None


class Rules:
    """Finds the rule of a request; pages of `public` are open."""

    def __init__(self, public: Iterable[PublicPage]) -> None:
        self._root = _Node()
        opened = frozenset(public)
        for path, methods in RULES.items():
            rules = {
                method: _OPEN if rule.page in opened else rule for method, rule in methods.items()
            }
            node = self._root
            for segment in path.removesuffix(_BELOW)[1:].split("/"):
                if segment.startswith("{"):
                    node.wildcard = node.wildcard or _Node()
                    node = node.wildcard
                else:
                    node = node.named.setdefault(segment, _Node())
            if path.endswith(_BELOW):
                node.below = rules
            else:
                node.methods = rules

    def find(self, scope: Scope) -> Rule | None:
        """Return the rule of a request; None where there is nothing at its path.

        A method that the path does not have needs any key: the answer lists the right ones.
        """
        methods = self._methods_at(scope["path"])
        if methods is None:
            return None
        method = WEBSOCKET if scope["type"] == "websocket" else scope["method"]
        return methods.get("GET" if method == "HEAD" else method, _ANY_KEY)

    def _methods_at(self, path: str) -> Mapping[str, Rule] | None:
        if not path.startswith("/"):
            return None
        node = self._root
        below = None
        for segment in path[1:].split("/"):
            below = node.below or below
            following = node.named.get(segment) or (node.wildcard if segment else None)
            if following is None:
                return below
            node = following
        return node.methods or node.below or below


def check_routes(routes: Iterable[BaseRoute]) -> None:
    """Raise LookupError for a route without a rule."""
    for path, methods in paths_of(routes):
        missing = methods - RULES.get(path, {}).keys()
        if missing or path not in RULES:
            named = ", ".join(sorted(missing)) or "any method"
            raise LookupError(f"{named} {path} has no rule: add it to {__name__}.RULES")


def methods_of(routes: Iterable[BaseRoute]) -> set[str]:
    """Return the methods of all routes, and HEAD, which goes with GET."""
    methods = {"HEAD"}.union(*(methods for _, methods in paths_of(routes)))
    return methods - {WEBSOCKET}


def paths_of(routes: Iterable[BaseRoute]) -> Iterable[tuple[str, set[str]]]:
    """Yield the path and the methods of each route, those of included routers too."""
    for route in routes:
        # FastAPI keeps the router of each module as one route.
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from paths_of(included.routes)
        elif isinstance(route, Mount):
            yield route.path + _BELOW, {"GET"}
        elif isinstance(route, WebSocketRoute):
            yield route.path, {WEBSOCKET}
        elif isinstance(route, Route):
            path = route.path.replace("{page:path}", "{path:path}")
            yield path, (route.methods or set()) - {"HEAD"}
        else:
            raise LookupError(f"{route!r} is of a kind that no rule can be made for")
