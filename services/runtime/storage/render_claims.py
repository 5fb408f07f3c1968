"""Claims of renditions in Redis: of all workers, the owner of a claim makes the rendition.

A gateway's search that misses a rendition takes its claim for the request that it sends, and says
in the request's stream entry what it has found: the worker needs no trip for either.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from contracts.access.keys import DEFAULT_PROJECT
from contracts.imaging import Blob
from services.runtime.redis.scripts import load_script
from services.runtime.storage.records import Place, StoredBlob

AWAITED = "+"
"""Ends the value of a claim that another worker waits for."""

END = load_script(__package__, "end_render", when_full=True, AWAITED=AWAITED)

OFFER_LIFE = 1.0
"""Seconds of a claim that a search takes: long enough for a worker to take it over."""

OWNER, PLACE, DIGEST, PROJECT = "claim", "place", "digest", "project"
"""Fields of a stream entry beside the request: the claim's value, and three of the image's."""


@dataclass(frozen=True)
class Held:
    """A claim that ends when the rendition is stored: its key, and its value without the mark."""

    name: str
    owner: str
    on_end: Callable[[bool], None]
    """Called once the claim has ended, with whether another worker waits for that."""


def owner_in(entry: Mapping[bytes, bytes]) -> str | None:
    """Return the value of the claim that an entry offers; None where it offers none."""
    owner = entry.get(OWNER.encode())
    return owner.decode() if owner else None


def image_in(entry: Mapping[bytes, bytes], source: Blob) -> StoredBlob:
    """Return the source of a request as the entry with a claim describes it. Raises ValueError."""
    place, digest, project = (
        entry.get(name.encode(), b"").decode() for name in (PLACE, DIGEST, PROJECT)
    )
    return StoredBlob(
        blob=source,
        digest=digest or source.key,
        place=Place(place),
        project=project or DEFAULT_PROJECT,
    )
