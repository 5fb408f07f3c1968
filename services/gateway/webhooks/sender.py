"""One try to deliver a webhook: send the signed request, read the status."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import IPv6Network

import anyio
import httpx
from standardwebhooks import Webhook as Signer

from contracts.errors import InvalidRequest
from contracts.jobs import Job
from services.gateway.outbound.client import make_client
from services.gateway.webhooks.payload import body_of, signed_headers
from services.gateway.webhooks.secrets import secrets_of
from services.runtime.telemetry.tracing import trace_headers

# A receiver that is still sending when the connection closes logs an error: read a little first.
_MAX_DRAINED = 4096  # bytes
_DRAIN_TIME = 1.0  # seconds


class DeliveryFailed(Exception):
    """The receiver did not accept the webhook; another try may help, `after` seconds or later.

    `answered` is false if it did not answer at all.
    """

    def __init__(self, reason: str, *, answered: bool, after: float = 0.0) -> None:
        super().__init__(reason)
        self.answered = answered
        self.after = after


class ReceiverGone(Exception):
    """The receiver answered 410: send nothing more to its URL."""


class WebhookSender:
    """Sends signed POSTs by Standard Webhooks (https://www.standardwebhooks.com)."""

    def __init__(
        self,
        secrets: list[str],
        *,
        timeout: float,
        allow_private: bool,
        nat64: Sequence[IPv6Network] = (),
        prefix: str = "",
    ) -> None:
        """`secrets` are those of the setting; each project has its own, which are made of them.

        `nat64` as in `is_public`; `prefix` begins the links to results: `DARKROOM_ROOT_PATH`."""
        self._prefix = prefix
        self._secrets = secrets
        self._timeout = timeout
        self._client = make_client(timeout=timeout, allow_private=allow_private, nat64=nat64)

    async def send(self, project: str, url: str, job: Job) -> None:
        """Report the end of a project's job to `url`; return once the receiver accepts it (2xx).

        Raises ReceiverGone, and DeliveryFailed for every other status, an unsafe address, a lost
        connection and a timeout.
        """
        try:
            answer = await self._post(project, url, job)
        except (httpx.HTTPError, TimeoutError, InvalidRequest) as exc:
            reason = f"{type(exc).__name__}: {exc}"[:200]
            raise DeliveryFailed(reason, answered=False) from exc
        if answer.status_code == httpx.codes.GONE:
            raise ReceiverGone
        if not answer.is_success:
            status = f"status {answer.status_code}"
            raise DeliveryFailed(status, answered=True, after=_retry_after(answer))

    async def close(self) -> None:
        """Close the HTTP client."""
        await self._client.aclose()

    async def _post(self, project: str, url: str, job: Job) -> httpx.Response:
        body = body_of(project, job, self._prefix)
        signers = [Signer(secret) for secret in secrets_of(project, self._secrets)]
        headers = {**signed_headers(signers, job, body), **trace_headers()}
        request = self._client.build_request("POST", url, content=body, headers=headers)
        async with asyncio.timeout(self._timeout):
            answer = await self._client.send(request, stream=True)
        try:
            await _drain(answer)
        finally:
            await answer.aclose()
        return answer


async def _drain(answer: httpx.Response) -> None:
    """Read the start of a response's body and drop it."""
    read = 0
    with suppress(httpx.HTTPError), anyio.move_on_after(_DRAIN_TIME):
        async for chunk in answer.aiter_raw():
            read += len(chunk)
            if read > _MAX_DRAINED:
                return


def _retry_after(answer: httpx.Response) -> float:
    """Return the seconds in Retry-After (RFC 9110, section 10.2.3); 0 without a valid one."""
    value = answer.headers.get("retry-after", "")
    if value.isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return 0.0
    now = datetime.now(UTC)
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())
