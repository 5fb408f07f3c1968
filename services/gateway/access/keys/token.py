"""The text of an API key: `dk_{id}_{secret}`, of which the gateway stores a digest alone."""

import hashlib
import secrets
from dataclasses import dataclass

_PREFIX = "dk"
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"  # base32 (RFC 4648) in lower case
_ID_LENGTH = 10  # 50 random bits
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Token:
    """The two parts of a key's text. Its `repr` has no secret."""

    id: str
    _secret: str

    def __repr__(self) -> str:
        return f"Token({self.id})"

    @property
    def text(self) -> str:
        """The text that a client sends."""
        return f"{_PREFIX}_{self.id}_{self._secret}"

    @property
    def digest(self) -> bytes:
        """The SHA-256 of the secret.

        A secret of 32 random bytes can't be guessed, so that no slow hash is needed.
        """
        return digest_of(self._secret)


def digest_of(secret: str) -> bytes:
    """Return the SHA-256 of a secret."""
    return hashlib.sha256(secret.encode("latin-1", "replace")).digest()


def new_token(key_id: str | None = None) -> Token:
    """Make a random token, of a new id unless one is given."""
    made = key_id or "".join(secrets.choice(_ALPHABET) for _ in range(_ID_LENGTH))
    return Token(made, secrets.token_urlsafe(_SECRET_BYTES))


def parse_token(text: str) -> Token | None:
    """Return the parts of a key's text; None for a text of another form.

    It is split at the first two underscores, because the secret may have some as well.
    """
    parts = text.split("_", 2)
    if len(parts) != 3 or parts[0] != _PREFIX:
        return None
    return Token(parts[1], parts[2])
