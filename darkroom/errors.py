"""What goes wrong on the way to a result, as one exception."""

import httpx

from contracts.errors import Failure

UNREACHABLE = "unreachable"
"""No whole answer came."""

LATE = "late"
"""The job goes on, and was not waited for any longer."""

CANCELLED = "cancelled"
"""Somebody cancelled the job."""

NOT_UNDERSTOOD = "not_understood"
"""An answer came that is none of a gateway's."""

_PASSING_STATUS = frozenset({502, 503, 504})


class GatewayError(Exception):
    """A refusal, a job that failed, or a gateway that can't be reached.

    `code` never changes: one of `contracts.errors.Code`, or of this module. `status` is the HTTP
    status of a refusal, and None for everything else.
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
    def may_pass(self) -> bool:
        """Whether the same request may well succeed a little later."""
        return self.code == UNREACHABLE or self.status in _PASSING_STATUS


def refusal(response: httpx.Response) -> GatewayError:
    """What a 4xx or 5xx says: a problem document, or whatever a proxy on the way made of it."""
    status = response.status_code
    try:
        document = response.json()
        code, detail = str(document["code"]), str(document["detail"])
    except (ValueError, LookupError, TypeError):
        code, detail = f"http_{status}", response.reason_phrase or "No reason was given."
    return GatewayError(code, detail, status=status, retry_after=retry_after(response))


def retry_after(response: httpx.Response) -> int | None:
    """The seconds in Retry-After. A gateway gives no dates there."""
    value = response.headers.get("retry-after", "")
    return int(value) if value.isdecimal() else None


def failure(problem: Failure) -> GatewayError:
    """What a job ended in."""
    return GatewayError(str(problem.code), problem.detail)
