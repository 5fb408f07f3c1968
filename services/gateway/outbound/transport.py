"""An HTTPX transport over httpcore's public connection pool, with a network backend of ours.

`httpx.AsyncHTTPTransport` takes no network backend. Replacing its private pool would connect
without any address check as soon as HTTPX renamed the attribute.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import httpcore
import httpx

_IDLE = 10.0
"""Seconds for which an idle connection is kept: a name may have another address by then."""

_HTTPX_ERRORS: dict[type[Exception], type[httpx.TransportError]] = {
    httpcore.ConnectTimeout: httpx.ConnectTimeout,
    httpcore.ReadTimeout: httpx.ReadTimeout,
    httpcore.WriteTimeout: httpx.WriteTimeout,
    httpcore.PoolTimeout: httpx.PoolTimeout,
    httpcore.TimeoutException: httpx.TimeoutException,
    httpcore.ConnectError: httpx.ConnectError,
    httpcore.ReadError: httpx.ReadError,
    httpcore.WriteError: httpx.WriteError,
    httpcore.NetworkError: httpx.NetworkError,
    httpcore.ProxyError: httpx.ProxyError,
    httpcore.UnsupportedProtocol: httpx.UnsupportedProtocol,
    httpcore.LocalProtocolError: httpx.LocalProtocolError,
    httpcore.RemoteProtocolError: httpx.RemoteProtocolError,
    httpcore.ProtocolError: httpx.ProtocolError,
}


class HttpcoreTransport(httpx.AsyncBaseTransport):
    """Sends requests over HTTP/1.1, on connections that `backend` makes, and has checked then.

    With `connections`, so many are open at once, and an idle one is used again; without it, each
    request has a new one. TLS certificates are verified against the URL's host name. Raises
    `httpx.TransportError`s, and whatever else `backend` raises.
    """

    def __init__(
        self, backend: httpcore.AsyncNetworkBackend, *, connections: int | None = None
    ) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            network_backend=backend,
            max_connections=connections,
            max_keepalive_connections=connections or 0,
            keepalive_expiry=_IDLE,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the response's body is read from its stream."""
        assert isinstance(request.stream, httpx.AsyncByteStream)
        url = request.url
        sent = httpcore.Request(
            method=request.method,
            url=httpcore.URL(
                scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,  # the timeouts among them
        )
        with _httpx_errors():
            response = await self._pool.handle_async_request(sent)
        return httpx.Response(
            status_code=response.status,
            headers=response.headers,
            stream=_ResponseStream(response),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self._pool.aclose()


class _ResponseStream(httpx.AsyncByteStream):
    """The body of a response, as the chunks that arrive."""

    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _httpx_errors():
            async for chunk in self._response.aiter_stream():
                yield chunk

    async def aclose(self) -> None:
        """Give the connection back to the pool, which closes it."""
        await self._response.aclose()


@contextmanager
def _httpx_errors() -> Iterator[None]:
    """Raise httpcore's exceptions as the HTTPX exceptions of the same name."""
    try:
        yield
    except tuple(_HTTPX_ERRORS) as exc:
        kind = next(kind for kind in type(exc).__mro__ if kind in _HTTPX_ERRORS)
        raise _HTTPX_ERRORS[kind](str(exc)) from exc
