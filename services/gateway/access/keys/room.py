"""Room for another key: how many there may be, and which of those that have ended are removed."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from contracts.errors import Conflict
from services.gateway.access.keys.records import KeyRecord

MAX_KEYS = 10_000
"""Keys of all projects, the ended ones included: each gateway has all of them in memory."""

MAX_PROJECT_KEYS = 1_000
"""Keys of a project that count, and those that have ended: so one project never fills all."""

MAX_REMOVED = 10_000
"""Removed keys of a project whose ids are known."""

KEPT = timedelta(days=30)
"""Time for which a key that has ended is listed, if there is room."""


def check_project(records: Iterable[KeyRecord], new: KeyRecord, now: datetime) -> None:
    """Check that a project may have one more key that counts. Raises Conflict."""
    if not new.counts_at(now):
        return
    own = sum(one.project == new.project and one.counts_at(now) for one in records)
    if own >= MAX_PROJECT_KEYS:
        raise Conflict(
            f"The project `{new.project}` has {MAX_PROJECT_KEYS:,} keys that count, and no more are"
            " possible: revoke one that nobody uses."
        )


def ended_too_long(
    records: Sequence[KeyRecord], project: str, now: datetime
) -> dict[str, list[KeyRecord]]:
    """Return the keys to remove before a project gets another one, by project.

    They have ended more than `KEPT` ago; or the project has too many that have ended, or all
    projects together have too many keys. Those that ended first go first.
    """
    ended = sorted(
        (one for one in records if not one.counts_at(now)),
        key=lambda one: (one.ends or now, one.id),
    )
    own = sum(one.project == project for one in ended) - MAX_PROJECT_KEYS + 1
    every = len(records) - MAX_KEYS + 1
    found = defaultdict(list)
    for one in ended:
        is_own = one.project == project
        if (one.ends or now) >= now - KEPT and every <= 0 and not (is_own and own > 0):
            continue
        own -= is_own
        every -= 1
        found[one.project].append(one)
    return found
