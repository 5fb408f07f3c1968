"""The `Prefer` header: what a client would like better (RFC 7240)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from services.gateway.http.header_lists import elements

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_NAME_AND_VALUE = re.compile(
    r"\s*(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+)"
    rf"\s*(?:=\s*(?P<value>[!#$%&'*+.^_`|~0-9A-Za-z-]*|{_QUOTED})\s*)?(?:;.*)?\s*"
)


@dataclass(frozen=True)
class Preference:
    """Those that are understood here."""

    respond_async: bool = False
    wait: int | None = None  # seconds

    @property
    def applied(self) -> dict[str, str]:
        """The header that says that this was kept to; none where nothing was preferred."""
        said = ["respond-async"] if self.respond_async else []
        if self.wait is not None:
            said.append(f"wait={self.wait}")
        return {"Preference-Applied": ", ".join(said)} if said else {}


def parse_prefer(lines: Sequence[str], *, most: float) -> Preference:
    """What header lines prefer; unknown and malformed preferences are ignored, never an error.

    The first of a repeated one counts. `wait` is cut to `most` seconds.
    """
    preferences: dict[str, str] = {}
    for part in elements(lines):
        if found := _NAME_AND_VALUE.fullmatch(part):
            value = (found["value"] or "").removeprefix('"').removesuffix('"')
            preferences.setdefault(found["name"].lower(), value)
    wait = preferences.get("wait", "")
    seconds = int(wait) if re.fullmatch(r"[0-9]{1,9}", wait) else None
    return Preference(
        respond_async=preferences.get("respond-async") == "",
        wait=None if seconds is None else min(seconds, int(most)),
    )
