"""Settings that both services share, from environment variables, and the units of settings."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.runtime.store_address import parse_store


def count_of(things: str) -> Any:
    """Return the limits and the unit of a number of `things`: a whole number from 1."""
    return Field(ge=1, json_schema_extra={"x-unit": things})


# Every wait has an end, so infinity is refused.
Seconds = Annotated[
    float, Field(gt=0, allow_inf_nan=False, json_schema_extra={"x-unit": "seconds"})
]
WholeSeconds = Annotated[int, count_of("seconds")]
Bytes = Annotated[int, count_of("bytes")]
Attempts = Annotated[int, count_of("attempts")]

LogLevel = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(str.upper)
]


def _store_url(url: str) -> str:
    parse_store(url)
    return url


StoreUrl = Annotated[str, AfterValidator(_store_url), Field(json_schema_extra={"format": "uri"})]


class RuntimeSettings(BaseSettings):
    """Settings of both services: `DARKROOM_IMAGE_TTL=3600` sets `image_ttl`."""

    model_config = SettingsConfigDict(
        env_prefix="DARKROOM_", frozen=True, populate_by_name=True, hide_input_in_errors=True
    )

    redis_url: str = Field(
        default="redis://127.0.0.1:6379",
        validation_alias=AliasChoices("REDIS_URL", "DARKROOM_REDIS_URL"),
        json_schema_extra={"format": "uri"},
        description="URL of Redis or Valkey: `redis://`, `rediss://` (with TLS) or `unix://`. The"
        " URL may have a password.",
    )
    store: StoreUrl | None = Field(
        default=None,
        description="Where the bytes of images lie, the same for all services:"
        " `file:///var/lib/darkroom`, a folder that all of them have; `s3://bucket/prefix`, with"
        " `?endpoint=`, `region=` and `path_style=` where they are needed; `gs://bucket/prefix`;"
        " `az://container/prefix`, with `?account=` and `endpoint=`; or `redis:`. Credentials come"
        " from the usual variables, such as `AWS_ACCESS_KEY_ID`. Without the setting it is"
        " `redis:`.",
    )
    store_cache: Path | None = Field(
        default=None,
        description="Folder on this host for copies of a bucket's objects. Without the setting, a"
        " folder of this user below the system's temporary folder.",
    )
    store_cache_bytes: Bytes = Field(
        default=2 * 1024 * 1024 * 1024,
        description="Maximum size of these copies. Those that were not used for longest go first.",
    )
    heartbeat_interval: Seconds = Field(
        default=1.0, description="Time from one heartbeat of a process to the next."
    )
    heartbeat_ttl: Seconds = Field(
        default=4.0,
        le=30,
        description="Time without a heartbeat after which a worker counts as dead."
        " Use several times `DARKROOM_HEARTBEAT_INTERVAL`. At most 30.",
    )
    graceful_timeout: Seconds = Field(
        default=15.0, description="Time that running work gets to finish when a service stops."
    )
    max_deliveries: Attempts = Field(
        default=4,
        description="Deliveries of an entry of a stream (a job, a request) whose handling fails"
        " before it is given up. A delivery that an outage of Redis ended does not count.",
    )
    unknown_version_wait: Seconds = Field(
        default=600.0,
        description="Time for which a job that another version of Darkroom has stored waits for a"
        " worker that can read it. After that, it is a dead letter.",
    )
    hot_bytes: Bytes = Field(
        default=64 * 1024 * 1024,
        description="Size of the small results, of up to 256 KiB, that stay in Redis. Beyond it,"
        " those that were unused for longest move to the store.",
    )
    store_bytes: Bytes | None = Field(
        default=None,
        description="Maximum size of everything in the store. Without it, the disk or the bucket"
        " is the limit.",
    )
    project_bytes: Bytes | None = Field(
        default=None, description="Maximum size of what one project has in the store."
    )
    sweep_interval: WholeSeconds = Field(
        default=3600,
        description="Time from one sweep to the next: one process compares the store with the"
        " records, and deletes what nobody needs any more.",
    )
    image_ttl: WholeSeconds | None = Field(
        default=None,
        description="Time from its last upload until an uploaded image expires, unless the upload"
        " says otherwise with `ttl`. Without it, images are kept until they are deleted.",
    )
    rendition_ttl: WholeSeconds = Field(
        default=3600, description="Time from its last use until a result expires."
    )
    job_ttl: WholeSeconds = Field(
        default=24 * 3600,
        description="Time from the end of a job until its record and its results expire.",
    )
    job_timeout: Seconds = Field(
        default=7200.0,
        description="Time from the acceptance of a job until it fails unless it has ended: all"
        " waits, attempts and variants count. A client may ask for less with `timeout`. Use more"
        " than `DARKROOM_MAX_QUEUE_AGE`.",
    )
    max_queue: Annotated[int, count_of("jobs")] = Field(
        default=10_000,
        description="Jobs that may wait for a worker. Further submissions are refused.",
    )
    max_queue_age: Seconds = Field(
        default=3600.0,
        description="Time that the oldest queued job may have waited. After that, submissions"
        " are refused.",
    )
    idempotency_ttl: WholeSeconds = Field(
        default=24 * 3600, description="Time until an idempotency key expires."
    )
    allow_volatile: bool = Field(
        default=False,
        description="Whether jobs are accepted by a Redis that keeps nothing over a restart. For"
        " trials and tests: a restart of Redis then loses all jobs.",
    )
    log_level: LogLevel = Field(
        default="INFO",
        description="Lowest level of the events that are logged. Lower case works, too.",
    )
