"""Everything that can go wrong, by name: raised as a ServiceError, carried as a Failure."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from contracts.message import Message


class Code(StrEnum):
    """The name of a failure, the same in a message, in a problem document and in a log."""

    INVALID_REQUEST = "invalid_request"
    INVALID_OPERATION = "invalid_operation"
    TOO_LARGE = "too_large"
    IMAGE_UNREADABLE = "image_unreadable"
    IMAGE_TOO_BIG = "image_too_big"
    UNSUPPORTED_FORMAT = "unsupported_format"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    GONE = "gone"
    CONFLICT = "conflict"
    KEY_REUSED = "key_reused"
    NO_WORKERS = "no_workers"
    OVERLOADED = "overloaded"
    UNAVAILABLE = "unavailable"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    WORKER_CRASHED = "worker_crashed"
    INTERNAL = "internal"


class Failure(Message):
    """A failed outcome: the body of a reply whose `x-outcome` is `failed`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "code": "image_unreadable",
                    "detail": "The image is cut off.",
                    "retry_after": None,
                }
            ]
        }
    )

    code: Annotated[Code, Field(description="What went wrong.")]
    detail: Annotated[str, Field(max_length=1000, description="The same in words, for a person.")]
    retry_after: Annotated[
        int | None, Field(ge=0, description="Seconds after which trying again makes sense.")
    ] = None

    def error(self) -> "ServiceError":
        """The exception that this failure was made from."""
        return _KINDS.get(self.code, Internal)(self.detail, retry_after=self.retry_after)


class ServiceError(Exception):
    """A failure with a name. It crosses processes and services, and stays itself."""

    code: ClassVar[Code]

    def __init__(self, detail: str, *, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after
        self.worker: str | None = None
        """Whose answer this was, once it has come from a worker."""

    def failure(self) -> Failure:
        """This error as it travels."""
        return Failure(code=self.code, detail=self.detail[:1000], retry_after=self.retry_after)


class InvalidRequest(ServiceError):
    """The request says something that it can't."""

    code = Code.INVALID_REQUEST


class InvalidOperation(ServiceError):
    """An operation is unknown, has a bad field, or does not fit this image."""

    code = Code.INVALID_OPERATION


class TooLarge(ServiceError):
    """More bytes than are accepted."""

    code = Code.TOO_LARGE


class ImageUnreadable(ServiceError):
    """The bytes are not an image, or not a whole one."""

    code = Code.IMAGE_UNREADABLE


class ImageTooBig(ServiceError):
    """More pixels or frames than are accepted, found out before decoding."""

    code = Code.IMAGE_TOO_BIG


class UnsupportedFormat(ServiceError):
    """An image, but of a format that is not served."""

    code = Code.UNSUPPORTED_FORMAT


class NotFound(ServiceError):
    """Nothing is known under this name."""

    code = Code.NOT_FOUND


class MethodNotAllowed(ServiceError):
    """The resource exists and can't do that."""

    code = Code.METHOD_NOT_ALLOWED


class Gone(ServiceError):
    """It was here, and its time has run out."""

    code = Code.GONE


class Conflict(ServiceError):
    """The resource is in no state for that."""

    code = Code.CONFLICT


class KeyReused(ServiceError):
    """An idempotency key that stands for another request already."""

    code = Code.KEY_REUSED


class NoWorkers(ServiceError):
    """No live worker listens where the request would go."""

    code = Code.NO_WORKERS


class Overloaded(ServiceError):
    """Everything that may wait is waiting already."""

    code = Code.OVERLOADED


class Unavailable(ServiceError):
    """Redis is away, or the connection to it was lost while waiting."""

    code = Code.UNAVAILABLE


class DeadlineExceeded(ServiceError, TimeoutError):
    """The answer did not come in time; the work has been stopped, too.

    A `TimeoutError` as well, because that is what `broker.request` promises.
    """

    code = Code.DEADLINE_EXCEEDED


class WorkerCrashed(ServiceError):
    """The process that did the work died of it."""

    code = Code.WORKER_CRASHED


class Internal(ServiceError):
    """A bug. The log has the traceback under the same correlation id."""

    code = Code.INTERNAL


_KINDS: dict[Code, type[ServiceError]] = {kind.code: kind for kind in ServiceError.__subclasses__()}

TRANSIENT = frozenset(
    {Code.WORKER_CRASHED, Code.DEADLINE_EXCEEDED, Code.UNAVAILABLE, Code.OVERLOADED}
)
"""What may pass by itself, so that trying again makes sense."""

REPLAYABLE = TRANSIENT | {Code.INTERNAL}
"""What is not the request's own fault: once it is mended, the same request does well."""
