"""Offer of an answer to the cache: a route names the blob of the answer, and its life."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.types import Scope

from services.gateway.delivery.cache import Source
from services.runtime.storage.records import Kind, StoredBlob

_FILL = "darkroom.delivery.fill"


@dataclass
class Fill:
    """A request whose answer the cache would keep, and what its route has said of the answer."""

    source: Source | None = None
    ends: float = 0.0
    latest: float = math.inf


def begin_fill(scope: Scope) -> Fill:
    """Note in the scope of a request that its route may offer the answer."""
    fill = scope[_FILL] = Fill()
    return fill


def offer(
    request: Request,
    kind: Kind,
    stored: StoredBlob,
    images: Sequence[str],
    *,
    life: float,
    left: float = math.inf,
) -> None:
    """Let the cache keep the answer to a request, if that is a 200 with all bytes of a blob.

    `images` are those that it is made from, and `life` is the time in seconds after which the
    answer would be another one, unless blob and images are kept for longer meanwhile. After `left`
    seconds it may be another one in any case. A blob without a digest is not kept: nobody could
    have checked it.
    """
    fill = request.scope.get(_FILL)
    if isinstance(fill, Fill) and stored.digest:
        fill.source = Source(kind, stored.blob.key, stored.digest, tuple(images))
        now = time.monotonic()
        fill.latest = now + left
        fill.ends = min(now + life, fill.latest)
