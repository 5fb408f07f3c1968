"""One try to tell a receiver of a job's end, and what it answered."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import anyio
import httpx
from standardwebhooks import Webhook as Signer

from contracts.errors import InvalidRequest
from contracts.jobs import Job
from services.gateway.outbound.client import make_client
from services.gateway.webhooks.payload import notice_of, signed

_HEARD_OUT = 4096  # bytes of an answer that are read, so that its sender sees no broken connection
_PATIENCE = 1.0  # seconds that this may take


class Unheard(Exception):
    """The receiver has not taken it: another try may help, `after` seconds or later."""

    def __init__(self, reason: str, *, after: float = 0.0) -> None:
        super().__init__(reason)
        self.after = after


class Unwanted(Exception):
    """The receiver wants nothing more (410)."""


class WebhookSender:
    """Signed POSTs by Standard Webhooks (https://www.standardwebhooks.com)."""

    def __init__(self, secrets: list[str], *, timeout: float, allow_private: bool) -> None:
        self._signers = [Signer(secret) for secret in secrets]
        self._timeout = timeout
        self._client = make_client(timeout=timeout, allow_private=allow_private)

    async def tell(self, url: str, job: Job) -> None:
        """Return once the receiver has taken it (2xx). Raises Unheard, Unwanted."""
        try:
            answer = await self._post(url, job)
        except (httpx.HTTPError, TimeoutError, InvalidRequest) as exc:
            raise Unheard(f"{type(exc).__name__}: {exc}"[:200]) from exc
        if answer.status_code == httpx.codes.GONE:
            raise Unwanted
        if not answer.is_success:
            raise Unheard(f"status {answer.status_code}", after=_retry_after(answer))

    async def close(self) -> None:
        """Hang up."""
        await self._client.aclose()

    async def _post(self, url: str, job: Job) -> httpx.Response:
        body = notice_of(job)
        headers = signed(self._signers, job, body)
        request = self._client.build_request("POST", url, content=body, headers=headers)
        async with asyncio.timeout(self._timeout):
            answer = await self._client.send(request, stream=True)
        try:
            await _hear_out(answer)
        finally:
            await answer.aclose()
        return answer


async def _hear_out(answer: httpx.Response) -> None:
    heard = 0
    with suppress(httpx.HTTPError), anyio.move_on_after(_PATIENCE):
        async for part in answer.aiter_raw():
            heard += len(part)
            if heard > _HEARD_OUT:
                return


def _retry_after(answer: httpx.Response) -> float:
    """Seconds that an answer asks to wait (RFC 9110, section 10.2.3); 0 where it doesn't."""
    value = answer.headers.get("retry-after", "")
    if value.isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    now = datetime.now(UTC)
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())
