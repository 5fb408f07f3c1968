"""Requests that end without a reply, on purpose.

FastStream and the consumers treat these exceptions as success: the request is finished.
"""

from faststream.exceptions import AckMessage


class Discarded(AckMessage):
    """Raised when no caller waits for the reply, or when another worker sends it."""

    reason: str
    """The value of the label `reason` of the metric `darkroom_dropped`."""


class DeadlinePassed(Discarded):
    """The request's deadline has passed before it was started."""

    reason = "late"


class Cancelled(Discarded):
    """The request's caller has cancelled it or is gone."""

    reason = "cancelled"


class HandedOn(Discarded):
    """The request was handed on to another worker, which replies."""

    reason = "handed_on"


class HandedBack(Discarded):
    """The request was put back into its stream, as it has waited long for this worker."""

    reason = "handed_back"


class ClaimedByAnotherWorker(Discarded):
    """Another worker was the first to claim a request that every worker received."""

    reason = "claimed_by_another"
