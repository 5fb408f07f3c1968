"""Failures by name: a `ServiceError` is raised, and travels between processes as a `Failure`."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from contracts.message import Message


class Code(StrEnum):
    """Name of a failure, the same in messages, problem documents and logs. Codes never change."""

    INVALID_REQUEST = "invalid_request"
    INVALID_OPERATION = "invalid_operation"
    TOO_LARGE = "too_large"
    IMAGE_UNREADABLE = "image_unreadable"
    IMAGE_TOO_BIG = "image_too_big"
    UNSUPPORTED_FORMAT = "unsupported_format"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    MISDIRECTED_REQUEST = "misdirected_request"
    ORIGIN_NOT_ALLOWED = "origin_not_allowed"
    SIGNATURE_INVALID = "signature_invalid"
    GONE = "gone"
    CONFLICT = "conflict"
    PRECONDITION_FAILED = "precondition_failed"
    KEY_REUSED = "key_reused"
    RATE_LIMITED = "rate_limited"
    QUOTA_EXCEEDED = "quota_exceeded"
    NO_WORKERS = "no_workers"
    OVERLOADED = "overloaded"
    UNAVAILABLE = "unavailable"
    STORE_FULL = "store_full"
    STORE_VOLATILE = "store_volatile"
    SOURCE_REFUSED = "source_refused"
    SOURCE_UNAVAILABLE = "source_unavailable"
    SOURCE_TIMEOUT = "source_timeout"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    WORKER_CRASHED = "worker_crashed"
    OUT_OF_MEMORY = "out_of_memory"
    INTERNAL = "internal"


class Failure(Message):
    """The body of a reply whose header `x-outcome` is `failed`."""

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

    code: Annotated[
        Code,
        Field(description="The kind of failure. The page `/guide/errors/{code}` explains it."),
    ]
    detail: Annotated[str, Field(max_length=1000, description="Explanation for people.")]
    retry_after: Annotated[
        int | None, Field(ge=0, description="Seconds to wait before a retry makes sense.")
    ] = None

    def error(self) -> "ServiceError":
        """Return the exception of this failure's code."""
        return ERRORS.get(self.code, Internal)(self.detail, retry_after=self.retry_after)


class ServiceError(Exception):
    """Base class of named failures. Pickling and `Failure` both preserve the class."""

    code: ClassVar[Code]

    def __init__(self, detail: str, *, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after
        self.worker: str | None = None
        """Name of the worker that answered with this error; None if it was raised here."""

    def failure(self) -> Failure:
        """Return the message of this error, with a detail of 1000 characters at most."""
        return Failure(code=self.code, detail=self.detail[:1000], retry_after=self.retry_after)


class InvalidRequest(ServiceError):
    """The request is malformed, or contradicts itself."""

    code = Code.INVALID_REQUEST


class InvalidOperation(ServiceError):
    """An operation is unknown, has an invalid field, or cannot be applied to this image."""

    code = Code.INVALID_OPERATION


class TooLarge(ServiceError):
    """A body has more bytes than are accepted."""

    code = Code.TOO_LARGE


class ImageUnreadable(ServiceError):
    """The bytes are not an image, or the image is damaged or incomplete."""

    code = Code.IMAGE_UNREADABLE


class ImageTooBig(ServiceError):
    """An image, or a result, has more pixels, frames, parts or bytes, or takes more memory, than
    is accepted."""

    code = Code.IMAGE_TOO_BIG


class UnsupportedFormat(ServiceError):
    """The image has a format that this service does not read."""

    code = Code.UNSUPPORTED_FORMAT


class UnsupportedMediaType(ServiceError):
    """The body has a media type or a content coding that this address does not take."""

    code = Code.UNSUPPORTED_MEDIA_TYPE


class Unauthorized(ServiceError):
    """The request has no key, or one that is unknown, revoked or expired."""

    code = Code.UNAUTHORIZED


class Forbidden(ServiceError):
    """The key of the request does not have the scope that the request needs."""

    code = Code.FORBIDDEN


class NotFound(ServiceError):
    """The named resource does not exist."""

    code = Code.NOT_FOUND


class MethodNotAllowed(ServiceError):
    """The resource exists, but does not support this method."""

    code = Code.METHOD_NOT_ALLOWED


class MisdirectedRequest(ServiceError):
    """The request is for a host name that this service does not have."""

    code = Code.MISDIRECTED_REQUEST


class OriginNotAllowed(ServiceError):
    """A web page of another origin has sent the request, and the origin is not allowed to."""

    code = Code.ORIGIN_NOT_ALLOWED


class SignatureInvalid(ServiceError):
    """The signature of the URL is wrong or has expired."""

    code = Code.SIGNATURE_INVALID


class Gone(ServiceError):
    """The resource existed, and has expired or is damaged."""

    code = Code.GONE


class Conflict(ServiceError):
    """The state of the resource does not allow this."""

    code = Code.CONFLICT


class PreconditionFailed(ServiceError):
    """A condition of the request, such as `If-Match`, is false."""

    code = Code.PRECONDITION_FAILED


class KeyReused(ServiceError):
    """The idempotency key was used for a different request."""

    code = Code.KEY_REUSED


class RateLimited(ServiceError):
    """The caller has made its calls, or has had its megapixels rendered, faster than it may."""

    code = Code.RATE_LIMITED


class QuotaExceeded(ServiceError):
    """The megapixels of the day are used up, or one request takes more than a limit ever allows."""

    code = Code.QUOTA_EXCEEDED


class NoWorkers(ServiceError):
    """No live worker listens at the address of the request."""

    code = Code.NO_WORKERS


class Overloaded(ServiceError):
    """A queue or another bounded resource is full."""

    code = Code.OVERLOADED


class Unavailable(ServiceError):
    """Redis cannot be reached, or the connection was lost while waiting for a reply."""

    code = Code.UNAVAILABLE


class StoreFull(ServiceError):
    """Redis or the store of images is full, so nothing new can be stored."""

    code = Code.STORE_FULL


class StoreVolatile(ServiceError):
    """Redis may lose what it has accepted, so nothing durable can be promised."""

    code = Code.STORE_VOLATILE


class SourceRefused(ServiceError):
    """No source allows the URL or the path, or a redirect led to an address of no source."""

    code = Code.SOURCE_REFUSED


class SourceUnavailable(ServiceError):
    """The source of an image can't be reached, fails, or answers with something else."""

    code = Code.SOURCE_UNAVAILABLE


class SourceTimeout(ServiceError):
    """The source of an image did not send all of it in time."""

    code = Code.SOURCE_TIMEOUT


class DeadlineExceeded(ServiceError, TimeoutError):
    """There was no reply before the deadline. The worker stops the work, too.

    It is a `TimeoutError` as well, which `broker.request` promises to raise.
    """

    code = Code.DEADLINE_EXCEEDED


class WorkerCrashed(ServiceError):
    """The pool process died while it worked on the request."""

    code = Code.WORKER_CRASHED


class OutOfMemory(ServiceError):
    """The work takes more memory than a pool process may have, a fresh one included."""

    code = Code.OUT_OF_MEMORY


class Internal(ServiceError):
    """An unexpected exception. The log has its traceback under the same correlation id."""

    code = Code.INTERNAL


ERRORS: dict[Code, type[ServiceError]] = {kind.code: kind for kind in ServiceError.__subclasses__()}
"""The exception of each code."""
