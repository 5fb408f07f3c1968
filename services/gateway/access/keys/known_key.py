"""A key in the memory of a process, ready for the comparison that each request makes."""

import hmac
import math
import time
from dataclasses import dataclass
from datetime import datetime

from services.gateway.access.caller import Caller
from services.gateway.access.keys.records import KeyRecord


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key and the digests of its secrets. Moments are in seconds since 1970."""

    record: KeyRecord
    caller: Caller
    digest: bytes
    ends: float
    old_digest: bytes
    """The digest of the secret before the last rotation."""
    old_ends: float

    @classmethod
    def of(cls, record: KeyRecord) -> "KnownKey":
        """Return the key of a record."""
        caller = Caller(
            project=record.project,
            scopes=record.scopes,
            key=record.id,
            shared=False,
            limits=record.limits,
        )
        return cls(
            record=record,
            caller=caller,
            digest=bytes.fromhex(record.digest),
            ends=-math.inf if record.revoked else _seconds(record.expires),
            old_digest=bytes.fromhex(record.old_digest or ""),
            old_ends=-math.inf if record.old_until is None else record.old_until.timestamp(),
        )

    @property
    def counts(self) -> bool:
        """True if the key is neither revoked nor expired."""
        return time.time() < self.ends

    def has_secret(self, digest: bytes) -> bool:
        """Return whether a digest is that of the secret, or of a rotated one that still counts."""
        if hmac.compare_digest(self.digest, digest):
            return True
        return hmac.compare_digest(self.old_digest, digest) and time.time() < self.old_ends


def _seconds(moment: datetime | None) -> float:
    return math.inf if moment is None else moment.timestamp()
