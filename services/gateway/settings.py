"""The settings of a gateway process, read from `DARKROOM_*` environment variables."""

import re
from base64 import b64decode
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from services.gateway.access_settings import AccessSettings
from services.gateway.limit_settings import LimitSettings
from services.gateway.site_lists import Prefixes
from services.gateway.site_settings import SiteSettings
from services.runtime.settings import (
    Attempts,
    Bytes,
    Seconds,
    WholeSeconds,
    count_of,
)

# 0 turns it off; a year is the most that caches are told by custom.
_CACHE_TIME = Field(ge=0, le=31_536_000, json_schema_extra={"x-unit": "seconds"})
_PORTS = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")


class GatewaySettings(AccessSettings, LimitSettings, SiteSettings):
    """Settings of the gateway. Raises pydantic's ValidationError for a value out of its range."""

    # A rejected value may be a secret, so errors don't repeat it.
    model_config = SettingsConfigDict(hide_input_in_errors=True)

    sources: Path | None = Field(
        default=None,
        description="File in TOML with the sources that images may be fetched from: web servers,"
        " buckets and folders. It is read again on SIGHUP. Without it, nothing may be fetched.",
    )
    nat64_prefixes: Prefixes = Field(
        default=(),
        description="IPv6 prefixes of the network's NAT64 translators, such as"
        " `2001:db8:64::/96`: an address with one of them counts as the IPv4 address in it, for"
        " sources and for webhooks. The well-known prefix always counts.",
    )
    max_body: Bytes = Field(default=64 * 1024 * 1024, description="Maximum size of one image.")
    max_bodies: Bytes = Field(
        default=1024 * 1024 * 1024,
        description="Maximum size of all request bodies that arrive at once. Of each, up to 1 MiB"
        " is in memory, or 4 MiB of the first ones, and the rest in a file: in the folder `tmp` of"
        " the store, or of `DARKROOM_STORE_CACHE` with a bucket, or in the system's temporary"
        " folder with `redis:`. Beyond the limit, uploads are refused.",
    )
    body_patience: Seconds = Field(
        default=30.0,
        description="Time in which a request body has to arrive, or to bring `DARKROOM_BODY_RATE`"
        " bytes for each second. A reader of an event stream times out after this time, too.",
    )
    body_rate: Bytes = Field(
        default=1024, description="Minimum speed of a request body, per second."
    )
    body_timeout: Seconds = Field(
        default=600.0,
        description="Time that a whole request body may take. Only the time counts in which the"
        " gateway waits for the client.",
    )
    max_header: Bytes = Field(
        default=32 * 1024,
        description="Maximum size of a request's line and header fields together.",
    )
    max_header_fields: Annotated[int, count_of("fields")] = Field(
        default=100, description="Maximum number of a request's header fields."
    )
    header_timeout: Seconds = Field(
        default=10.0,
        description="Time for a request's header: from the start of the connection, or from the"
        " end of its last response.",
    )
    max_connections: Annotated[int, count_of("connections")] = Field(
        default=1000,
        description="Connections that may be open at once, WebSockets included. Beyond it, a new"
        " connection replaces the one that has waited longest for a request. If every connection"
        " has a request, new ones are refused.",
    )
    max_connections_per_address: Annotated[int, count_of("connections")] = Field(
        default=200,
        description="Connections that one address may have open at once; of IPv6, one network of"
        " 64 bits. Unix sockets and `DARKROOM_PROXIES` have no limit.",
    )
    max_answers: Bytes = Field(
        default=256 * 1024 * 1024,
        description="Maximum size of the parts of all images in memory that clients have not read"
        " yet. Beyond it, requests for an image of more than 64 KiB wait a second, and are then"
        " refused.",
    )
    delivery_cache: Annotated[int, Field(ge=0, json_schema_extra={"x-unit": "bytes"})] = Field(
        default=64 * 1024 * 1024,
        description="Size of the answers in the memory of each gateway process: images of up to"
        " 1 MiB that are asked again are sent from there. Those that were unused for longest go"
        " first. 0: none are kept.",
    )
    reader_patience: Seconds = Field(
        default=30.0,
        description="Time over which a client has to read its answer at"
        " `DARKROOM_READER_RATE`. A slower client is disconnected.",
    )
    reader_rate: Bytes = Field(
        default=1024, description="Minimum speed of a client that reads an answer, per second."
    )
    linger: Seconds = Field(
        default=30.0,
        description="Time to read and drop the rest of a refused body, so that the client reads"
        " the error.",
    )
    max_calls: Annotated[int, count_of("calls")] = Field(
        default=1000,
        description="Calls to imaging that may wait for a reply. Further calls are refused.",
    )
    call_patience: Annotated[float, Field(ge=0, json_schema_extra={"x-unit": "seconds"})] = Field(
        default=2.0,
        description="Time that a call to imaging waits for a place in a full queue, but no longer"
        " than half of its time limit. Then it is refused. 0: it is refused at once.",
    )
    max_age: Annotated[int, _CACHE_TIME] = Field(
        default=3600,
        description="Time for which caches and browsers may use an image without asking again, but"
        " never beyond the image's life. A deleted image may be shown for so long.",
    )
    stale_while_revalidate: Annotated[int, _CACHE_TIME] = Field(
        default=24 * 3600,
        description="Time after `DARKROOM_MAX_AGE` for which a cache may still use an image while"
        " it asks again, but never beyond the image's life.",
    )
    stale_if_error: Annotated[int, _CACHE_TIME] = Field(
        default=24 * 3600,
        description="Time after `DARKROOM_MAX_AGE` for which a cache may still use an image while"
        " Darkroom can't be reached or fails, but never beyond the image's life.",
    )
    default_timeout: Seconds = Field(
        default=10.0, description="Time limit of a call that names none with `timeout` or `wait`."
    )
    max_timeout: Seconds = Field(
        default=60.0, description="Longest time limit of a call that a client can ask for."
    )
    inspect_timeout: Seconds = Field(
        default=10.0, description="Time limit for the inspection of an image."
    )
    keep_alive: Seconds = Field(
        default=15.0,
        description="Time without an event after which an event stream sends a keep-alive comment.",
    )
    max_rerenders: Annotated[int, count_of("renders a minute")] = Field(
        default=60,
        description="Renders that `Cache-Control: no-cache` may cause although a result is stored."
        " Beyond it, the stored result is sent, as if the header were missing.",
    )
    max_live: Annotated[int, count_of("connections")] = Field(
        default=500,
        description="WebSockets and event streams that may be open at once. Further ones are"
        " refused. Use less than `DARKROOM_MAX_CONNECTIONS`.",
    )
    max_watched: Annotated[int, count_of("jobs")] = Field(
        default=10_000, description="Jobs that one WebSocket may watch."
    )
    max_watched_in_all: Annotated[int, count_of("jobs")] = Field(
        default=100_000,
        description="Jobs that all WebSockets, event streams and waiting requests may watch"
        " together. A job counts once for each that watches it.",
    )
    max_events: Annotated[int, count_of("events")] = Field(
        default=50_000,
        description="Events that may be in memory for all readers together. Beyond it, the reader"
        " with the most unsent events is disconnected.",
    )
    max_live_frames: Annotated[int, count_of("frames a second")] = Field(
        default=100,
        description="Frames that a WebSocket may send, as a rate. It may send ten times as many at"
        " once after a pause.",
    )
    live_idle: Seconds = Field(
        default=60.0,
        description="Time without a watched job after which a WebSocket is closed.",
    )
    max_backlog: Annotated[int, count_of("events")] = Field(
        default=1000,
        description="Events that may be queued for a slow reader before it is disconnected.",
    )
    webhook_secret: SecretStr | None = Field(
        default=None,
        description="Key that signs webhooks: `whsec_` and 24 to 64 bytes in base64. To change it,"
        " write the new one, a space and the old one: both sign. Webhooks of other projects than"
        " `default` are signed with secrets that are derived from it. Without a secret, jobs with a"
        " webhook are refused.",
    )
    webhook_allow_private: bool = Field(
        default=False,
        description="Whether receivers may have private addresses. If true, clients can make the"
        " gateway send requests into your network.",
    )
    webhook_ports: str = Field(
        default="80,443,8080,8443",
        json_schema_extra={"x-values": "ports and ranges, separated by commas"},
        description="Ports that receivers may have, as numbers and ranges: `80,443,9000-9099`.",
    )
    webhook_slots: Annotated[int, count_of("deliveries")] = Field(
        default=16, description="Deliveries that a gateway has in progress at once."
    )
    webhook_host_slots: Annotated[int, count_of("deliveries")] = Field(
        default=4, description="Deliveries to one host that a gateway has in progress at once."
    )
    webhook_timeout: Seconds = Field(
        default=10.0, description="Time that a receiver gets to answer."
    )
    webhook_lease: Seconds = Field(
        default=30.0,
        description="Time after which another gateway retries a delivery whose gateway has died."
        " It has to be longer than `DARKROOM_WEBHOOK_TIMEOUT`.",
    )
    webhook_attempts: Attempts = Field(
        default=12, le=100, description="Attempts at a delivery before it is dropped."
    )
    webhook_backoff: Seconds = Field(
        default=5.0,
        description="Maximum delay of the first retry. The maximum doubles with each retry.",
    )
    webhook_backoff_cap: Seconds = Field(
        default=3600.0, description="Maximum delay of every retry."
    )
    webhook_disabled_ttl: WholeSeconds = Field(
        default=24 * 3600,
        description="Time without deliveries to a URL after it has answered 410 (Gone).",
    )

    @field_validator("webhook_secret")
    @classmethod
    def _check_secrets(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and not all(map(_is_valid_secret, _split(secret))):
            raise ValueError("write it as whsec_ and 24 to 64 bytes in base64")
        return secret

    @field_validator("webhook_ports")
    @classmethod
    def _check_ports(cls, ports: str) -> str:
        _numbers(ports)
        return ports

    @property
    def webhook_port_numbers(self) -> frozenset[int]:
        """The ports that receivers may have."""
        return _numbers(self.webhook_ports)

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


def _numbers(ports: str) -> frozenset[int]:
    """Return the ports in a list such as `80,443,9000-9099`. Raises ValueError."""
    numbers: set[int] = set()
    for entry in ports.split(","):
        match = _PORTS.fullmatch(entry.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last <= 65_535:
            raise ValueError("write ports from 1 to 65535 as in 80,443,9000-9099")
        numbers.update(range(first, last + 1))
    return frozenset(numbers)


def _is_valid_secret(secret: str) -> bool:
    prefix, _, text = secret.partition("_")
    try:
        length = len(b64decode(text + "=" * (-len(text) % 4), validate=True))
    except ValueError:
        return False
    return prefix == "whsec" and 24 <= length <= 64
