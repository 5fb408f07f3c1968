"""Fields that say how long caches may keep an image (RFC 9111, RFC 5861, RFC 8246).

Nobody may keep an answer for longer than its image lives. A cache such as nginx counts `max-age`
from the moment at which an answer arrives, and repeats the answer without an `Age`: moments that
count for nginx (`X-Accel-Expires`) and for its clients (`Expires`) come with an image that expires,
and with one whose source may send another.
"""

import math
import time
from email.utils import formatdate

from contracts.errors import NotFound
from contracts.imaging import RENDER_VERSION
from services.gateway.settings import GatewaySettings

_YEAR = 31_536_000  # seconds: the most that caches are told by custom
_OTHER_VERSION = 60  # seconds: for as long gateways of two versions may answer in turn
_MISSING = 5  # seconds: the image may be uploaded next


NO_STORE = {"Cache-Control": "no-store"}
"""The field of an answer with an image whose source forbids to store it."""


class MissingImage(NotFound):
    """No image has the id of a GET. Caches may repeat the answer for some seconds.

    `life` is the time in seconds for which the caller may have the answer at all.
    """

    def __init__(self, detail: str, *, life: float = math.inf) -> None:
        super().__init__(detail)
        self.life = life


def freshness(
    settings: GatewaySettings,
    life: float,
    version: str | None = None,
    *,
    max_age: int | None = None,
) -> dict[str, str]:
    """Return the fields of an image that expires in `life` seconds, which may be infinite.

    Caches may use it for `max_age` seconds, in place of the setting. `version` is the version of
    the engine that the URL of a render names: with the current one the URL has one answer for ever,
    and another one is of a gateway before or after an upgrade.
    """
    usual = settings.max_age if max_age is None else max_age
    if version == str(RENDER_VERSION):
        return _fields(_YEAR, life, ", immutable")
    if version is not None:
        return _fields(min(_OTHER_VERSION, usual), life)
    left = life - usual
    extensions = {
        "stale-while-revalidate": settings.stale_while_revalidate,
        "stale-if-error": settings.stale_if_error,
    }
    stale = {name: int(min(seconds, left)) for name, seconds in extensions.items()}
    more = "".join(f", {name}={seconds}" for name, seconds in stale.items() if seconds > 0)
    return _fields(usual, life, more)


def freshness_of_original(
    settings: GatewaySettings,
    life: float,
    *,
    left: float,
    stale_while_revalidate: float,
    stale_if_error: float,
    version: str | None = None,
    max_age: int | None = None,
) -> dict[str, str]:
    """Return the fields of an answer that is made from an original of a source, as `freshness`.

    Its source may send another original after `left` seconds, so that the answer is never fresh
    for longer, and never `immutable`. The other numbers count from then on. The end is a fixed
    moment, for how long ever the image itself lives.
    """
    most = settings.max_age if max_age is None else max_age
    if version is not None and version != str(RENDER_VERSION):
        most = min(_OTHER_VERSION, most)
    fresh = max(0.0, min(most, left))
    extensions = {
        "stale-while-revalidate": min(settings.stale_while_revalidate, stale_while_revalidate),
        "stale-if-error": min(settings.stale_if_error, stale_if_error),
    }
    # An original that is stale has used a part of them up.
    stale = {
        name: int(min(seconds + min(0.0, left), life - fresh))
        for name, seconds in extensions.items()
    }
    more = "".join(f", {name}={seconds}" for name, seconds in stale.items() if seconds > 0)
    return _dated(max(0, int(min(fresh, life))), more)


def freshness_of_missing(life: float) -> dict[str, str]:
    """Return the field of an answer that there is no such image, fresh for `life` at most."""
    return {"Cache-Control": f"public, max-age={max(0, int(min(_MISSING, life)))}"}


def fresh_until_end(life: float) -> dict[str, str]:
    """Return the fields of an answer that does not change in the `life` seconds that it has."""
    return _fields(_YEAR, life)


def _fields(most: int, life: float, more: str = "") -> dict[str, str]:
    """Return the fields of an answer that is fresh for `most` seconds, but for `life` at most."""
    seconds = max(0, int(min(most, life)))
    return _undated(seconds, more) if math.isinf(life) else _dated(seconds, more)


def _undated(seconds: int, more: str) -> dict[str, str]:
    return {"Cache-Control": f"public, max-age={seconds}{more}"}


def _dated(seconds: int, more: str) -> dict[str, str]:
    """Return the same with the moment at which the `seconds` end."""
    moment = int(time.time()) + seconds
    return {
        **_undated(seconds, more),
        "Expires": formatdate(moment, usegmt=True),
        # The last one: nginx 1.22 reads the extensions of Cache-Control only before it.
        "X-Accel-Expires": f"@{moment}",
    }
