"""Signed URLs: verify the signature, and remove its parameters from the query.

`contracts/access/signing.py` has the canonical form.
"""

import time
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qs

from starlette.types import Scope

from contracts.access.keys import KeyScope
from contracts.access.signing import PRESET, Fault, Signable, SignatureFault, is_signed, read
from contracts.errors import InvalidOperation, SignatureInvalid
from services.gateway.access.caller import Caller
from services.gateway.access.presets.presets import Presets
from services.gateway.access.signing_keys import KeyState, SigningKeys
from services.gateway.reloading import ReloadedFile

_SIGNATURE = b"sig="
ANONYMOUS_SCOPES = frozenset({KeyScope.RENDER, KeyScope.FETCH})
"""Scopes that a request without a key can have: to read pictures."""
_REMEMBERED = 4096  # URLs
_MAX_REMEMBERED = 1024  # bytes of a query


@dataclass(frozen=True, slots=True)
class _Verified:
    signable: Signable
    caller: Caller
    query: bytes


class Signatures:
    """Identifies requests whose URL is signed with a key of a file."""

    def __init__(self, keys: ReloadedFile[SigningKeys] | None, presets: Presets) -> None:
        self._keys = keys
        self._presets = presets
        self._known = lru_cache(_REMEMBERED)(self._verify)

    def __call__(self, scope: Scope, newest: bool = False) -> Caller | None:
        """Return the caller that the signature of a request stands for; None without a signature.

        Replaces the query in `scope` by its verified part without `sig`, `kid`, `exp` and `free`:
        nothing behind sees anything else. Raises SignatureInvalid.
        """
        if scope["type"] not in ("http", "websocket"):
            return None
        query: bytes = scope["query_string"]
        if not is_signature_in(query):
            return None
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            raise SignatureInvalid("A signature is for GET and HEAD alone.")
        try:
            verify = self._known if len(query) <= _MAX_REMEMBERED else self._verify
            verified = verify(scope["raw_path"], query, self._generation)
            verified.signable.check_expiry(time.time())
        except SignatureFault as exc:
            raise SignatureInvalid(exc.detail) from exc
        scope["query_string"] = verified.query
        return verified.caller

    @property
    def _generation(self) -> tuple[int, int]:
        return (self._keys.generation if self._keys else 0), self._presets.generation

    def _verify(self, path: bytes, query: bytes, generation: tuple[int, int]) -> _Verified:
        """Verify a URL with the keys and the presets of the present `generation`."""
        signable = read(path, query)
        key = self._keys.content.get(signable.kid) if self._keys else None
        if key is None or key.state is KeyState.REVOKED:
            raise SignatureFault(Fault.KEY_ID, "No signing key in force has the name in `kid`.")
        if not is_signed(signable, key.secret):
            raise SignatureFault(
                Fault.SIGNATURE, "The signature in `sig` is not that of this path and query."
            )
        self._check_free(signable, key.project)
        caller = Caller(key.project, ANONYMOUS_SCOPES, shared=True, ends=signable.exp)
        return _Verified(signable, caller, signable.query.encode())

    def _check_free(self, signable: Signable, project: str) -> None:
        """Raise SignatureFault unless all that is free are variables of the preset."""
        if not signable.free:
            return
        (name,) = parse_qs(signable.query, keep_blank_values=True)[PRESET]
        try:
            variables = self._presets.find(name, project).vary
        except InvalidOperation as exc:
            raise SignatureFault(Fault.FREE, exc.detail) from exc
        other = next((name for name in signable.free if name not in variables), None)
        if other is not None:
            raise SignatureFault(Fault.FREE, f"`{other}` is no variable of the preset.")


def is_signature_in(query: bytes) -> bool:
    """Return whether a query has a signature, be it a right one or not."""
    return query.startswith(_SIGNATURE) or b"&sig=" in query
