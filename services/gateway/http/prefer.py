"""The `Prefer` request header (RFC 7240): `respond-async` and `wait`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from services.gateway.http.header_lists import split_list

_QUOTED = r'"(?:[^"\\]|\\.)*+"'
# No part gives back what it has matched (`*+`): else a header full of spaces takes minutes.
_PREFERENCE = re.compile(
    r"\s*+(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]++)"
    rf"\s*+(?:=\s*+(?P<value>{_QUOTED}|[!#$%&'*+.^_`|~0-9A-Za-z-]*+)\s*+)?+(?:;.*)?"
)


@dataclass(frozen=True)
class Preference:
    """The preferences of a request that the gateway supports."""

    respond_async: bool = False
    wait: int | None = None  # seconds

    @property
    def applied(self) -> dict[str, str]:
        """The `Preference-Applied` header of the answer; empty when nothing was preferred."""
        names = ["respond-async"] if self.respond_async else []
        if self.wait is not None:
            names.append(f"wait={self.wait}")
        return {"Preference-Applied": ", ".join(names)} if names else {}


def parse_prefer(lines: Sequence[str], *, max_wait: float) -> Preference:
    """Parse the lines of `Prefer` headers; unknown and malformed preferences are ignored.

    The first of a repeated preference counts. `wait` is cut to `max_wait` seconds.
    """
    if not lines:
        return Preference()
    preferences: dict[str, str] = {}
    for element in split_list(lines):
        if match := _PREFERENCE.fullmatch(element):
            value = (match["value"] or "").removeprefix('"').removesuffix('"')
            preferences.setdefault(match["name"].lower(), value)
    wait = preferences.get("wait", "")
    seconds = int(wait) if re.fullmatch(r"[0-9]{1,9}", wait) else None
    return Preference(
        respond_async=preferences.get("respond-async") == "",
        wait=None if seconds is None else min(seconds, int(max_wait)),
    )
