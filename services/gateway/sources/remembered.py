"""The memory of originals in Redis: by their address, what a source has sent and for how long."""

import math
import time
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError

from contracts.errors import Failure, ServiceError
from services.gateway.sources.addresses import Address
from services.gateway.sources.kinds.origin import Lifetime, Validators
from services.runtime.redis import keys
from services.runtime.redis.client import RedisClient, redis_errors

_FAILURE_LIFE = 5  # seconds for which a failure is given to others
_LONGEST_FAILURE = 60  # seconds of a source's own Retry-After


class Original(BaseModel):
    """An original that a source has sent. Moments are seconds since 1970."""

    # A record of another version has other fields, and is no reason to fetch again.
    model_config = ConfigDict(frozen=True, extra="ignore")

    image: str
    """The id of the stored image."""
    url: str = ""
    etag: str = ""
    modified: str = ""
    asked: float
    """Moment at which the source last said that this is the original."""
    fresh: float
    """Seconds from then on for which nobody has to ask again."""
    stale_while_revalidate: float = 0.0
    stale_if_error: float = 0.0
    stored: bool = True
    """False for an original that counts for its own request alone."""

    @property
    def validators(self) -> Validators:
        """The validators of the bytes."""
        return Validators(self.url, self.etag, self.modified)

    @property
    def lifetime(self) -> Lifetime:
        """The lifetime from `asked` on."""
        return Lifetime(self.fresh, self.stale_while_revalidate, self.stale_if_error)

    def left(self) -> float:
        """Return the seconds until its freshness ends; negative after that."""
        return self.asked + self.fresh - time.time()


@dataclass(frozen=True)
class Known:
    """Knowledge of an address: its last original and its last failure."""

    original: Original | None
    failure: ServiceError | None


class RememberedOriginals:
    """Reads and writes the memory. Raises Unavailable and StoreFull."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    async def find(self, address: Address) -> Known:
        """Return what is known of an address, in one trip."""
        failed = keys.origin_failure(address.key)
        with redis_errors():
            (original, failure), left = await self._redis.pipeline(
                [("MGET", keys.origin(address.key), failed), ("PTTL", failed)]
            )
        return known_from(original, failure, left)

    async def keep(self, address: Address, original: Original, *, seconds: int) -> None:
        """Remember an original, and forget a failure."""
        name, failed = keys.origin(address.key), keys.origin_failure(address.key)
        with redis_errors():
            await self._redis.pipeline(
                [
                    ("SET", name, original.model_dump_json(), "EX", seconds),
                    ("UNLINK", failed),
                ]
            )

    async def keep_failure(self, address: Address, error: ServiceError) -> None:
        """Remember a failure for some seconds."""
        seconds = _life_of(error)
        text = error.failure().model_dump_json()
        with redis_errors():
            await self._redis.execute("SET", keys.origin_failure(address.key), text, "EX", seconds)

    async def forget(self, address: Address) -> None:
        """Forget an original."""
        with redis_errors():
            await self._redis.execute("UNLINK", keys.origin(address.key))


def known_from(original: bytes | None, failure: bytes | None, left: int) -> Known:
    """Return what the values of the keys of an address say.

    The failure has `left` milliseconds to live, and its `retry_after` counts from now.
    """
    if failure is None:
        return Known(_parsed(original), None)
    error = Failure.model_validate_json(failure).error()
    if error.retry_after is not None:
        seconds = max(left, 0) / 1000
        passed = _life_of(error) - seconds
        error.retry_after = math.ceil(max(1, seconds, error.retry_after - passed))
    return Known(_parsed(original), error)


def _life_of(error: ServiceError) -> int:
    """Return the seconds for which a failure is remembered."""
    return min(max(_FAILURE_LIFE, error.retry_after or 0), _LONGEST_FAILURE)


def _parsed(text: bytes | None) -> Original | None:
    try:
        return Original.model_validate_json(text) if text else None
    except ValidationError:
        return None
