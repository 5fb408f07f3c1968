"""Files of the gateway's own package: the web page's and the guide's."""

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from services.gateway.http.conditions import is_not_modified


class WholeFiles(StaticFiles):
    """Static files that are always sent whole, and keep the conditions of a request.

    A server may ignore `Range` (RFC 9110, section 14.2). Starlette answers a malformed one with
    plain text, and every error of the gateway is a problem document.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as if the request had no `Range`."""
        headers = [field for field in scope["headers"] if field[0] != b"range"]
        await super().__call__({**scope, "headers": headers}, receive, send)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return the response without an offer of ranges. Raises HTTPException."""
        response = await super().get_response(path, scope)
        if "Accept-Ranges" in response.headers:
            del response.headers["Accept-Ranges"]
        return response

    def is_not_modified(self, response_headers: Headers, request_headers: Headers) -> bool:
        """Return whether the client's copy is current. Raises PreconditionFailed."""
        etag, modified = response_headers["etag"], response_headers["last-modified"]
        return is_not_modified(request_headers, etag, modified)
