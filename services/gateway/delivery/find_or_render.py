"""A search for a rendition whose script asks a worker to render it if it is not there."""

from collections.abc import Sequence
from secrets import token_hex
from typing import Any

from services.runtime.redis.keys import render_claim
from services.runtime.redis.scripts import Script, load_script
from services.runtime.rpc.sender import PUSH_IF_SERVED
from services.runtime.storage.lookups import LOOKUP, Found, Lookup
from services.runtime.storage.records import VERDICT
from services.runtime.storage.render_claims import DIGEST, OFFER_LIFE, OWNER, PLACE, PROJECT

_FIND_OR_RENDER = load_script(
    __package__,
    "find_or_render",
    functions={"lookup": LOOKUP, "push": PUSH_IF_SERVED},
    OWNER=OWNER,
    PLACE=PLACE,
    DIGEST=DIGEST,
    PROJECT=PROJECT,
    VERDICT=VERDICT,
    LIFE=int(OFFER_LIFE * 1000),
)


class FindOrRender:
    """The search of a request for a rendition: a `Search` of the message `request`."""

    def __init__(self, lookup: Lookup, key: str, pipeline: str) -> None:
        """`key` is that of the rendition; `pipeline` is JSON."""
        self.key = key
        # The script adds the source, as its record describes it.
        self.request = f'{{"pipeline":{pipeline},"reuse":true,"source":'.encode()
        """The JSON of a Render, up to its source."""
        self.answered = False
        """True once the search was made."""
        self._lookup = lookup
        self._reply: Any = None

    def script(
        self, names: Sequence[str], arguments: Sequence[Any]
    ) -> tuple[Script, Sequence[str], Sequence[Any]]:
        """Return script, keys and arguments that search, and send the request if need be."""
        lookup = self._lookup
        claim = render_claim(self.key)
        return (
            _FIND_OR_RENDER,
            (*lookup.names, claim, *names),
            (*lookup.arguments, lookup.images[0], token_hex(8), *arguments),
        )

    def take(self, answer: Any) -> bool:
        """Take what the script returns; return whether the request was sent."""
        # `found` reads the records, which may be damaged: a callback of Redis must not raise.
        self._reply, pushed = answer
        self.answered = True
        return bool(pushed > 0)

    def found(self) -> Found | None:
        """Return what the search has found. Raises ValueError for a record that can't be read."""
        return self._lookup.found(self._reply)
