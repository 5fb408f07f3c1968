"""Settings that both services share, from environment variables."""

from pydantic import AliasChoices, Field, PositiveFloat, PositiveInt
from pydantic_settings import BaseSettings, SettingsConfigDict


class RuntimeSettings(BaseSettings):
    """Settings of both services: `DARKROOM_IMAGE_TTL=3600` sets `image_ttl`."""

    model_config = SettingsConfigDict(env_prefix="DARKROOM_", frozen=True, populate_by_name=True)

    redis_url: str = Field(
        default="redis://127.0.0.1:6379",
        validation_alias=AliasChoices("REDIS_URL", "DARKROOM_REDIS_URL"),
    )
    heartbeat_interval: PositiveFloat = 1.0  # seconds
    heartbeat_ttl: PositiveFloat = 4.0  # seconds without a heartbeat until a worker counts as dead
    graceful_timeout: PositiveFloat = 15.0  # seconds that running work gets at a stop
    image_ttl: PositiveInt = 24 * 3600  # seconds an uploaded image lives
    rendition_ttl: PositiveInt = 3600  # seconds a result lives after its last use
    job_ttl: PositiveInt = 24 * 3600  # seconds a job's record and results live after its end
    max_queue: PositiveInt = 10_000  # jobs that may wait; more are refused
    max_queue_age: PositiveFloat = 3600.0  # seconds the first may have waited; more are refused
    idempotency_ttl: PositiveInt = 24 * 3600  # seconds an idempotency key is kept
    log_level: str = "INFO"
