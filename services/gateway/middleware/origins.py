"""Refuse what pages of other origins send, and let the pages of listed origins read answers (CORS).

A page on any site can send a POST with `text/plain` or a form to every address that its reader's
browser reaches, and open WebSockets to it. Browsers say where such a request comes from: in
`Origin`, and in `Sec-Fetch-Site` if a request has no origin.
"""

from collections.abc import Collection, Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.errors import OriginNotAllowed
from services.gateway.middleware.fields import Field
from services.gateway.middleware.hosts import Refuse

_READING = ("GET", "HEAD")
_OWN_SITE = ("same-origin", "none")  # none: the user has entered the address
_PAGE_FIELDS = frozenset({b"origin", b"sec-fetch-site"})
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_PREFLIGHT_SECONDS = 7200  # the most that Chromium keeps
_ASKED_METHOD, _ASKED_HEADERS = "access-control-request-method", "access-control-request-headers"


class OriginMiddleware:
    """Passes requests of the gateway's own origin, of the listed ones, and of no browser.

    GET and HEAD pass for every page, because they change nothing: any site may show a result in
    an `<img>`. Only pages of the listed origins can read an answer: every one that comes through
    this middleware, errors and 304 as well. They may use the methods of `methods`, any header
    field, and a session's cookie, and read the fields of `exposed`: with cookies, browsers take
    `*` for a name.
    """

    def __init__(
        self,
        app: ASGIApp,
        origins: Collection[str],
        *,
        methods: Collection[str],
        exposed: Collection[str],
        refuse: Refuse,
    ) -> None:
        self._app = app
        self._origins = frozenset(origins)
        self._methods = ", ".join(sorted(methods))
        self._exposed = ", ".join(sorted(exposed))
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reading = scope["type"] == "http" and scope["method"] in _READING
        if reading and not self._origins:
            await self._app(scope, receive, send)
            return
        app, reader = self._app, self.reader_of(scope)
        listed = reader is not None
        if not (reading or listed or _is_own(scope)):
            error = OriginNotAllowed(
                "A page of another origin has sent this request. The gateway's operator lists "
                "origins in DARKROOM_ORIGINS."
            )
            app = self._refuse(error, scope)
        elif listed and _asks_for_method(scope):
            app = self._preflight_answer(Headers(scope=scope))
        if not self._origins or scope["type"] != "http":
            await app(scope, receive, send)
            return

        async def send_with_permission(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = self.permit(message["headers"], reader)
            await send(message)

        await app(scope, receive, send_with_permission)

    def may_change(self, scope: Scope) -> bool:
        """Return whether a request may change something, by where it comes from."""
        return self.reader_of(scope) is not None or _is_own(scope)

    def reader_of(self, scope: Scope) -> str | None:
        """Return the listed origin whose pages may read the answer to a request; None for none."""
        if not self._origins:
            return None
        given = Headers(scope=scope).getlist("origin")
        return given[0] if len(given) == 1 and given[0] in self._origins else None

    def permit(self, fields: Iterable[Field], reader: str | None) -> list[Field]:
        """Return the header of an answer that pages of the origin `reader` may read."""
        answer = MutableHeaders(raw=list(fields))
        if self._origins:
            answer.add_vary_header("Origin")
        if reader is not None:
            answer["Access-Control-Allow-Origin"] = reader
            answer["Access-Control-Allow-Credentials"] = "true"
            answer["Access-Control-Expose-Headers"] = self._exposed
        return answer.raw

    def _preflight_answer(self, headers: Headers) -> Response:
        """Return the permission to send the request that a browser asks for (Fetch, section 4.9).

        It names the fields that the browser has named: `*` would leave out `Authorization`.
        """
        allowed = {
            "Access-Control-Allow-Methods": self._methods,
            "Access-Control-Allow-Headers": headers.get(_ASKED_HEADERS, ""),
            "Access-Control-Max-Age": str(_PREFLIGHT_SECONDS),
            "Vary": f"{_ASKED_METHOD}, {_ASKED_HEADERS}",
        }
        return Response(status_code=204, headers=allowed)


def _asks_for_method(scope: Scope) -> bool:
    """Return whether a request asks for the permission to send another one."""
    return scope.get("method") == "OPTIONS" and _ASKED_METHOD in Headers(scope=scope)


def _is_own(scope: Scope) -> bool:
    """Return whether a request comes from a page of the gateway's own origin, or from no page."""
    if _PAGE_FIELDS.isdisjoint([name for name, _ in scope["headers"]]):
        return True
    headers = Headers(scope=scope)
    given = headers.getlist("origin")
    if not given:
        return headers.get("sec-fetch-site", "none") in _OWN_SITE
    scheme = scope["scheme"].replace("ws", "http")
    host = headers.get("host", "").lower().removesuffix(_DEFAULT_PORTS.get(scheme, ""))
    return given == [f"{scheme}://{host}"]
