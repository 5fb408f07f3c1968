"""What a gateway process is told from outside."""

from base64 import b64decode
from typing import Self

from pydantic import Field, PositiveFloat, PositiveInt, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from services.runtime.settings import RuntimeSettings


class GatewaySettings(RuntimeSettings):
    """Settings of the gateway."""

    # What is refused is not repeated: it may be a secret.
    model_config = SettingsConfigDict(hide_input_in_errors=True)

    max_body: PositiveInt = 64 * 1024 * 1024  # bytes of one image
    max_bodies: PositiveInt = 1024 * 1024 * 1024  # bytes of all bodies being received at once
    body_patience: PositiveFloat = 30.0  # seconds without a byte until a body is given up
    linger: PositiveFloat = 30.0  # seconds a body that was refused already is read and dropped
    max_calls: PositiveInt = 1000  # outstanding calls to imaging
    default_timeout: PositiveFloat = 10.0  # seconds a call may take when the client doesn't say
    max_timeout: PositiveFloat = 60.0  # seconds it may take at most
    inspect_timeout: PositiveFloat = 10.0  # seconds for saying what an image is
    keep_alive: PositiveFloat = 15.0  # seconds without an event until a stream says it still lives
    max_watched: PositiveInt = 10_000  # jobs watched over one WebSocket
    max_backlog: PositiveInt = 1000  # events a slow reader may be behind before it is dropped
    # whsec_ and 24 to 64 bytes, as base64; while receivers change over, the new and the old one.
    webhook_secret: SecretStr | None = None
    webhook_allow_private: bool = False  # whether receivers in private networks are told
    webhook_slots: PositiveInt = 16  # deliveries under way at once
    webhook_timeout: PositiveFloat = 10.0  # seconds a receiver may take to answer
    webhook_lease: PositiveFloat = 30.0  # seconds until what a dead gateway had is delivered again
    webhook_attempts: int = Field(default=12, ge=1, le=100)  # after so many it is given up
    webhook_backoff: PositiveFloat = 5.0  # seconds; the first retry comes after less than this
    webhook_backoff_cap: PositiveFloat = 3600.0  # seconds; no retry comes later than this
    webhook_disabled_ttl: PositiveInt = 24 * 3600  # seconds a URL that answered 410 is told nothing

    @field_validator("webhook_secret")
    @classmethod
    def _holds_secrets(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and not all(map(_is_a_secret, _words(secret))):
            raise ValueError("write it as whsec_ and 24 to 64 bytes in base64")
        return secret

    @property
    def webhook_secrets(self) -> list[str]:
        """What webhooks are signed by, each with all of these; none where nobody is to be told."""
        return _words(self.webhook_secret) if self.webhook_secret else []

    @model_validator(mode="after")
    def _lease_outlasts_a_try(self) -> Self:
        if self.webhook_lease <= self.webhook_timeout:
            raise ValueError("webhook_lease has to be longer than webhook_timeout")
        return self


def _words(secret: SecretStr) -> list[str]:
    return secret.get_secret_value().split() or [""]


def _is_a_secret(word: str) -> bool:
    prefix, _, text = word.partition("_")
    try:
        length = len(b64decode(text + "=" * (-len(text) % 4), validate=True))
    except ValueError:
        return False
    return prefix == "whsec" and 24 <= length <= 64
