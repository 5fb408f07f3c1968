"""Originals on web servers."""

import os
import re
import time

import httpx

from contracts.errors import (
    InvalidRequest,
    NotFound,
    SourceRefused,
    SourceTimeout,
    SourceUnavailable,
)
from services.gateway.outbound.client import refuse_unsafe_url
from services.gateway.outbound.network import HostUnknown
from services.gateway.sources.configuration import HttpsSource
from services.gateway.sources.kinds.lifetimes import lifetime_of, says_lifetime
from services.gateway.sources.kinds.origin import (
    Body,
    FailedElsewhere,
    NoImageThere,
    Reply,
    Unreachable,
    Validators,
)
from services.gateway.sources.url_patterns import parse_url

_MAX_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_EVERY_PORT = range(1, 65_536)
"""The patterns of a source list its ports."""
_LONGEST_PAUSE = 300  # seconds of a source's Retry-After that count
_PAUSE = 5  # seconds
_DRAINED = 16 << 10  # bytes


class HttpsOrigin:
    """Fetches by GET from allowed hosts, whose addresses are checked for each connection."""

    def __init__(self, source: HttpsSource, client: httpx.AsyncClient) -> None:
        self._source = source
        self._client = client
        variable = source.authorization_env
        self._authorization = os.environ[variable] if variable else ""

    async def ask(self, place: str, known: Validators | None, body: Body) -> Reply:
        """Fetch a URL, and follow up to three redirects to URLs that the source allows as well."""
        url = first = httpx.URL(place)
        for _ in range(_MAX_REDIRECTS + 1):
            try:
                answer = await self._ask(
                    url, known, body, authorized=_origin(url) == _origin(first)
                )
            except SourceUnavailable as exc:
                if isinstance(exc, NoImageThere) or _origin(url) == _origin(first):
                    raise
                raise FailedElsewhere(exc.detail, retry_after=exc.retry_after) from exc
            if isinstance(answer, Reply):
                return answer
            url = answer
        raise SourceRefused(f"The URL leads through more than {_MAX_REDIRECTS} redirects.")

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def _ask(
        self, url: httpx.URL, known: Validators | None, body: Body, *, authorized: bool
    ) -> Reply | httpx.URL:
        """Fetch a URL; return the reply, or the URL that it leads to."""
        self._check(url)
        fields = {"Accept": "image/*", "Accept-Encoding": "identity"}
        if self._authorization and authorized:
            fields["Authorization"] = self._authorization
        asked = known if known and known.url == str(url) else None
        if asked and asked.etag:
            fields["If-None-Match"] = asked.etag
        if asked and asked.modified:
            fields["If-Modified-Since"] = asked.modified
        began = time.monotonic()
        try:
            request = self._client.build_request("GET", url, headers=fields)
            response = await self._client.send(request, stream=True)
            try:
                if response.status_code not in _REDIRECTS:
                    took = time.monotonic() - began
                    return await self._reply(url, response, asked, body, took)
                target = _target(url, response)
                await _drain(response)
                return target
            finally:
                await response.aclose()
        except InvalidRequest as exc:
            raise SourceRefused(exc.detail) from exc
        except httpx.TimeoutException as exc:
            raise SourceTimeout("The source does not answer.", retry_after=_PAUSE) from exc
        except httpx.HTTPError as exc:
            raise self._failure_to_reach(url, exc) from exc

    def _failure_to_reach(self, url: httpx.URL, exc: httpx.HTTPError) -> SourceUnavailable:
        """Return a failure that says of what it is: of the server, or of the URL alone."""
        detail = f"The source can't be reached ({type(exc).__name__})."
        if not isinstance(exc, httpx.ConnectError):
            return SourceUnavailable(detail, retry_after=_PAUSE)
        named = any(one.allows(url) and "*" not in one.host for one in self._source.allow)
        if isinstance(exc.__cause__, HostUnknown) and not named:
            detail = "The host of the URL has no address."
            return FailedElsewhere(detail, retry_after=_PAUSE)
        return Unreachable(detail, retry_after=_PAUSE)

    def _check(self, url: httpx.URL) -> None:
        if not any(pattern.allows(url) for pattern in self._source.allow):
            raise SourceRefused("The URL leads to another one, which the source does not allow.")
        try:
            refuse_unsafe_url(str(url), ports=_EVERY_PORT, allow_private=self._source.allow_private)
        except InvalidRequest as exc:
            raise SourceRefused(exc.detail) from exc

    async def _reply(
        self,
        url: httpx.URL,
        response: httpx.Response,
        asked: Validators | None,
        body: Body,
        took: float,
    ) -> Reply:
        headers = response.headers
        lifetime = lifetime_of(headers, self._source, took=took)
        validators = Validators(
            str(url), headers.get("etag", "")[:1000], headers.get("last-modified", "")[:100]
        )
        if response.status_code == httpx.codes.NOT_MODIFIED and asked:
            await _drain(response)
            return Reply(False, lifetime if says_lifetime(headers) else None, asked)
        if response.status_code not in (200, 203):
            await _drain(response)
            raise _failure(response)
        if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            raise NoImageThere("The source has sent the image with a Content-Encoding.")
        length = headers.get("content-length", "")
        if length.isdecimal():
            body.expect(int(length))
        async for piece in response.aiter_raw():
            await body.write(piece)
        return Reply(True, lifetime, validators)


async def _drain(response: httpx.Response) -> None:
    """Read a short body that nobody needs, so that its connection can be used again."""
    length = response.headers.get("content-length", "0")
    if length.isdecimal() and len(length) < 10 and int(length) <= _DRAINED:
        async for _ in response.aiter_raw():
            pass


def _target(url: httpx.URL, response: httpx.Response) -> httpx.URL:
    location = response.headers.get("location", "")
    try:
        return parse_url(str(url.join(location)))
    except (httpx.InvalidURL, UnicodeError, ValueError) as exc:
        raise SourceRefused("The URL leads to a malformed one.") from exc


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _failure(response: httpx.Response) -> NotFound | SourceUnavailable:
    status = response.status_code
    if status in (404, 410):
        return NotFound("The source has no image at this URL.")
    detail = f"The source answers with status {status}."
    named = response.headers.get("retry-after", "")
    pause = min(int(named), _LONGEST_PAUSE) if re.fullmatch("[0-9]{1,6}", named) else _PAUSE
    if status >= 500 or status == 429:
        return SourceUnavailable(detail, retry_after=pause)
    return NoImageThere(detail, retry_after=pause)
