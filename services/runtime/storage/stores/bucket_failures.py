"""Failures of a bucket by name, without the texts of its server."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

from contracts.errors import ServiceError, StoreFull, Unavailable
from services.runtime.storage.stores.failures import RETRY_AFTER, disk_failure
from services.runtime.storage.stores.store import Missing

_STATUS: Final = re.compile(r"status code: (\d{3})")
_CODE: Final = re.compile(r"<Code>(\w{1,60})</Code>")
_FULL: Final = {"QuotaExceeded", "XMinioStorageFull", "InsufficientStorage"}
_ABSENT: Final = {"NoSuchBucket", "ContainerNotFound"}


class NoSuchRange(Unavailable):
    """The object ends before the range that was asked for."""


@contextmanager
def named(path: str | None = None) -> Iterator[None]:
    """Raise the errors of obstore, and of this host's disk, by name.

    A missing object is Missing where there is a `path`.
    """
    try:
        yield
    except FileNotFoundError as exc:
        if exc.errno is not None:  # of this host's disk
            raise disk_failure(exc) from exc
        if path is None or _code(exc) in _ABSENT:
            raise Unavailable("The bucket does not exist.", retry_after=RETRY_AFTER) from None
        raise Missing(path) from None
    except OSError as exc:
        raise disk_failure(exc) from exc
    except BaseError as exc:
        # Without its cause: the text of a refused signature names the key, and what was signed.
        raise _failure(exc) from None


def _failure(exc: BaseError) -> ServiceError:
    status, code = _status(exc), _code(exc)
    if code in _FULL or status == 507:
        return StoreFull("The bucket is full.", retry_after=10)
    if status == 416 or code == "InvalidArgument":
        return NoSuchRange(f"The bucket refuses a request ({reason_of(exc)}).")
    if isinstance(exc, PermissionDeniedError | UnauthenticatedError) or status in (401, 403):
        detail = f"The bucket refuses the credentials of this service ({reason_of(exc)})."
        return Unavailable(detail, retry_after=RETRY_AFTER)
    return Unavailable(f"The bucket does not answer ({reason_of(exc)}).", retry_after=RETRY_AFTER)


def _status(exc: Exception) -> int:
    found = _STATUS.search(str(exc))
    return int(found[1]) if found else 0


def _code(exc: Exception) -> str:
    found = _CODE.search(str(exc))
    return found[1] if found else ""


def reason_of(exc: Exception) -> str:
    """Return what may be told of an error: a status and a code, or the kind of error."""
    status, code = _status(exc), _code(exc)
    if status:
        return f"status {status}{code and ', '}{code}"
    return type(exc).__name__
