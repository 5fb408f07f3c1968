"""The record of a key after an import: another gateway's record, and what is known here."""

from datetime import datetime, timedelta

from contracts.errors import Conflict, InvalidRequest
from services.gateway.access.keys.records import KeyRecord

_CLOCKS = timedelta(days=1)
"""Largest accepted difference of two gateways' clocks."""

_NEVER_CHANGE = "project", "scopes", "created"


def check_imported(record: KeyRecord, now: datetime) -> None:
    """Check what the fields of an imported record say together. Raises InvalidRequest."""
    if (record.old_digest is None) != (record.old_until is None):
        raise InvalidRequest("`old_digest` and `old_until` belong together: give both, or none.")
    if record.rotated is not None and record.rotated > now + _CLOCKS:
        raise InvalidRequest("`rotated` is in the future.")


def merged(before: KeyRecord, record: KeyRecord, now: datetime) -> KeyRecord:
    """Return the record of a key that is here already after another record of it was imported.

    A key that has ended stays ended, and the secret is that of the last rotation. Raises Conflict
    if both records can't be of one key.
    """
    for name in _NEVER_CHANGE:
        if getattr(before, name) != getattr(record, name):
            raise Conflict(
                f"A key with this id is here and has another `{name}`: it never changes."
            )
    if record.rotated == before.rotated and record.digest != before.digest:
        raise Conflict("Another key has this id: its secret is a different one.")
    is_newer = (record.rotated or record.created) > (before.rotated or before.created)
    secret = record if is_newer else before
    has_expired = before.expires is not None and before.expires <= now
    return record.model_copy(
        update={
            "revoked": before.revoked or record.revoked,
            "expires": before.expires if has_expired else record.expires,
            "digest": secret.digest,
            "rotated": secret.rotated,
            "old_digest": secret.old_digest,
            "old_until": secret.old_until,
        }
    )
