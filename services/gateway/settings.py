"""The settings of a gateway process, read from `DARKROOM_*` environment variables."""

from base64 import b64decode
from typing import Self

from pydantic import Field, PositiveFloat, PositiveInt, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from services.runtime.settings import RuntimeSettings


class GatewaySettings(RuntimeSettings):
    """Settings of the gateway. Raises pydantic's ValidationError for a value out of its range."""

    # A rejected value may be a secret, so errors don't repeat it.
    model_config = SettingsConfigDict(hide_input_in_errors=True)

    max_body: PositiveInt = 64 * 1024 * 1024  # bytes of one image
    max_bodies: PositiveInt = 1024 * 1024 * 1024  # bytes of all bodies in memory at once
    body_patience: PositiveFloat = 30.0  # seconds without a byte before a body or reader times out
    linger: PositiveFloat = 30.0  # seconds to read and drop the rest of a body after its refusal
    max_calls: PositiveInt = 1000  # calls to imaging that wait for a reply
    default_timeout: PositiveFloat = 10.0  # seconds for a call when the client names none
    max_timeout: PositiveFloat = 60.0  # seconds: the most that a client may ask for
    inspect_timeout: PositiveFloat = 10.0  # seconds for inspecting an image
    keep_alive: PositiveFloat = 15.0  # seconds without an event before a keep-alive comment
    max_watched: PositiveInt = 10_000  # jobs watched over one WebSocket
    max_backlog: PositiveInt = 1000  # events queued for a slow reader before it is disconnected
    # `whsec_` and 24 to 64 bytes in base64; the new and the old one while receivers change over.
    webhook_secret: SecretStr | None = None
    webhook_allow_private: bool = False  # whether receivers may have private addresses
    webhook_slots: PositiveInt = 16  # deliveries in progress at once
    webhook_timeout: PositiveFloat = 10.0  # seconds for a receiver to answer
    webhook_lease: PositiveFloat = 30.0  # seconds before a dead gateway's delivery is retried
    webhook_attempts: int = Field(default=12, ge=1, le=100)  # tries before a delivery is dropped
    webhook_backoff: PositiveFloat = 5.0  # seconds: upper limit of the first retry's delay
    webhook_backoff_cap: PositiveFloat = 3600.0  # seconds: upper limit of every retry's delay
    webhook_disabled_ttl: PositiveInt = 24 * 3600  # seconds without deliveries to a URL after 410

    @field_validator("webhook_secret")
    @classmethod
    def _check_secrets(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and not all(map(_is_valid_secret, _split(secret))):
            raise ValueError("write it as whsec_ and 24 to 64 bytes in base64")
        return secret

    @property
    def webhook_secrets(self) -> list[str]:
        """The secrets that sign each webhook, one signature per secret; empty without a secret."""
        return _split(self.webhook_secret) if self.webhook_secret else []

    @model_validator(mode="after")
    def _check_lease(self) -> Self:
        if self.webhook_lease <= self.webhook_timeout:
            raise ValueError("webhook_lease has to be longer than webhook_timeout")
        return self


def _split(secrets: SecretStr) -> list[str]:
    """Split secrets at white space; an empty value is one empty, invalid secret."""
    return secrets.get_secret_value().split() or [""]


def _is_valid_secret(secret: str) -> bool:
    prefix, _, text = secret.partition("_")
    try:
        length = len(b64decode(text + "=" * (-len(text) % 4), validate=True))
    except ValueError:
        return False
    return prefix == "whsec" and 24 <= length <= 64
