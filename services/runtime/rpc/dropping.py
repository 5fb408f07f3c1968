"""Requests that are let go: nobody waits for them any more, or another worker has them.

Raised in a middleware; FastStream and the subscribers take them as done with, without an answer.
"""

from faststream.exceptions import AckMessage


class Dropped(AckMessage):
    """A request that was not answered, on purpose."""

    reason: str


class Late(Dropped):
    """Its deadline has passed."""

    reason = "late"


class Cancelled(Dropped):
    """Its caller has cancelled it, or has gone."""

    reason = "cancelled"


class ClaimedByAnother(Dropped):
    """Every worker on a channel hears a request; this one was not the first to claim it."""

    reason = "claimed_by_another"
