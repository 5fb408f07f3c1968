"""Settings of access: keys, signing keys, presets, and clients without any."""

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from services.gateway.site_lists import PublicPage, PublicPages
from services.runtime.settings import RuntimeSettings, WholeSeconds

_ADMIN_KEY = re.compile(r"[\x21-\x7e]{32,256}")


class AccessSettings(RuntimeSettings):
    """Settings of access. Raises pydantic's ValidationError for a value out of its range."""

    # A rejected value may be a secret, so errors don't repeat it.
    model_config = SettingsConfigDict(hide_input_in_errors=True)

    access: Literal["open", "keys"] | None = Field(
        default=None,
        description="Clients that may use the gateway: `keys`, those with a key; `open`, all that"
        " reach it. Without the setting, a gateway that listens on loopback or at a Unix socket"
        " is open, and any other gateway does not start.",
    )
    anonymous: Literal["none", "signed", "presets"] = Field(
        default="none",
        description="What a client without a key may do with `DARKROOM_ACCESS=keys`: nothing;"
        " fetch signed URLs; or fetch signed URLs and use public presets.",
    )
    signing_keys: Path | None = Field(
        default=None,
        description="TOML file with the keys of [signed URLs](../guides/signed-urls.md). It is read"
        " again on SIGHUP. Without it, every signature is refused.",
    )
    presets: Path | None = Field(
        default=None,
        description="TOML file with the [presets](../guides/presets.md). It is read again on"
        " SIGHUP.",
    )
    admin_key: SecretStr | None = Field(
        default=None,
        description="A key of the operator's that may do everything, and makes the first keys: at"
        " least 32 visible characters, such as the output of `openssl rand -hex 32`.",
    )
    public_pages: PublicPages = Field(
        default=(PublicPage.DOCS, PublicPage.GUIDE),
        json_schema_extra={"x-values": "names, separated by commas"},
        description="Pages for which `DARKROOM_ACCESS=keys` asks nobody for a key, out of `docs`,"
        " `guide` and `metrics`. An empty value stands for none. `/metrics` needs a key with the"
        " scope `admin` otherwise, and the others any key.",
    )
    session_ttl: WholeSeconds = Field(
        default=12 * 3600,
        description="Time for which a browser stays signed in after it has sent a key.",
    )

    @field_validator("admin_key")
    @classmethod
    def _check_admin_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and not _ADMIN_KEY.fullmatch(key.get_secret_value()):
            raise ValueError("write at least 32 visible ASCII characters, without spaces")
        return key
