"""The client's only exception, made from HTTP responses, failed jobs and connection failures."""

import httpx

from contracts.errors import Failure

UNREACHABLE = "unreachable"
"""The connection failed, or the response was cut off."""

LATE = "late"
"""The job has not ended within the timeout; it continues."""

CANCELLED = "cancelled"
"""The job was cancelled."""

NOT_UNDERSTOOD = "not_understood"
"""The response is not one of a gateway."""

MAX_RETRY_AFTER = 60
"""Seconds: a longer Retry-After is shortened to this."""

_TRANSIENT_STATUSES = frozenset({502, 503, 504, 507})
_LIMITED = 429


class GatewayError(Exception):
    """A refused request, a failed job, or a gateway that cannot be reached.

    `code` is stable: one of `contracts.errors.Code`, or of this module. `status` is the HTTP status
    of a refused request, else None. `retry_after` is in seconds, None without that header.
    """

    def __init__(
        self, code: str, detail: str, *, status: int | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.status = status
        self.retry_after = retry_after

    @property
    def is_transient(self) -> bool:
        """True if the same request may succeed soon. A limit counts if it ends within a minute."""
        if self.status == _LIMITED:
            return self.retry_after is not None and self.retry_after <= MAX_RETRY_AFTER
        return self.code == UNREACHABLE or self.status in _TRANSIENT_STATUSES


def error_of_response(response: httpx.Response) -> GatewayError:
    """Return the error of a 4xx or 5xx response.

    The body is a problem document (RFC 9457), or anything else when a proxy answered; the code is
    then `http_<status>`.
    """
    status = response.status_code
    try:
        document = response.json()
        code, detail = str(document["code"]), str(document["detail"])
    except (ValueError, LookupError, TypeError):
        code, detail = f"http_{status}", response.reason_phrase or "No reason was given."
    return GatewayError(code, detail, status=status, retry_after=retry_after(response))


def retry_after(response: httpx.Response) -> int | None:
    """Return the seconds in Retry-After; None for a date, which gateways do not send."""
    value = response.headers.get("retry-after", "")
    return int(value) if value.isdecimal() else None


def error_of_failure(problem: Failure) -> GatewayError:
    """Return the error of a failed job."""
    return GatewayError(str(problem.code), problem.detail)
