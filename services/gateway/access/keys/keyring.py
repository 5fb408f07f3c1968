"""All keys in the memory of a process, read again from Redis whenever one has changed.

A process asks for the version of the keys every half second, and trusts its copy for one second
after it has asked. So a request with a key costs no trip to Redis, and a revoked key is dead on
every gateway within a second, whatever happens to messages and connections.
"""

import asyncio
import hmac
from collections.abc import Callable
from typing import Any

import structlog
from pydantic import SecretStr, ValidationError

from contracts.access.keys import DEFAULT_PROJECT, EVERY_SCOPE
from contracts.errors import ServiceError, Unavailable
from services.gateway.access.caller import Caller
from services.gateway.access.keys.known_key import KnownKey
from services.gateway.access.keys.records import KeyRecord
from services.gateway.access.keys.token import digest_of, parse_token
from services.runtime.redis.client import RedisClient, redis_errors
from services.runtime.redis.keys import API_KEYS, API_KEYS_VERSION, SESSION_SECRET
from services.runtime.tasks import end

log = structlog.get_logger(__name__)

LEASE = 1.0
"""Seconds after a question to Redis for which its answer counts."""

OPERATOR = "operator"
"""Stands for the id of the key in `DARKROOM_ADMIN_KEY`."""

_INTERVAL = 0.5  # seconds
_PATIENCE = 2.0  # seconds that a request waits for keys that Redis has not confirmed in time
_NEVER = -1e9

_OPERATOR = Caller(project=DEFAULT_PROJECT, scopes=EVERY_SCOPE, key=OPERATOR, shared=False)


class KeysOutdated(Exception):
    """The keys in memory do not identify the caller of a request; newer ones in Redis may."""


class Keyring:
    """Finds the caller that a key belongs to. `start` reads the keys for the first time."""

    def __init__(self, redis: RedisClient, operator_key: SecretStr | None) -> None:
        self._redis = redis
        self._operator = digest_of(operator_key.get_secret_value()) if operator_key else None
        self._known: dict[str, KnownKey] = {}
        self._texts: dict[str, bytes] = {}
        self._version: object = self  # no version in Redis is equal to it
        self._confirmed = _NEVER
        self._reading: asyncio.Task[None] | None = None
        self._reader: asyncio.Task[None] | None = None
        self.session_secret = b""
        """The secret that signs session cookies; empty before the first session was made."""

    async def start(self) -> None:
        """Begin to read the keys, and to watch their version."""
        self._reader = asyncio.create_task(self._watch(), name="keyring")

    async def stop(self) -> None:
        """Read no more."""
        await end(self._reader)
        await end(self._reading)

    @property
    def records(self) -> list[KeyRecord]:
        """The records of all keys, those that were revoked among them."""
        return [known.record for known in self._known.values()]

    @property
    def version(self) -> bytes:
        """The version of the keys that `records` are of; empty before the first key was made."""
        return self._version if isinstance(self._version, bytes) else b""

    def find(
        self, look: Callable[["Keyring"], Caller | None], *, newest: bool = False
    ) -> Caller | None:
        """Return the caller that `look` finds among the keys in memory.

        Raises KeysOutdated if these were not confirmed in time, and if there is no caller: another
        gateway may have made the key a moment ago. Call `read_again` then, and this once more with
        `newest=True`.
        """
        if newest:
            return look(self)
        if asyncio.get_running_loop().time() - self._confirmed < LEASE:
            caller = look(self)
            if caller is not None:
                return caller
        raise KeysOutdated

    async def read(self) -> None:
        """Read what has changed. Raises Unavailable if Redis does not answer in time."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read(), name="read-keys")
            self._reading.add_done_callback(_take_failure)
        try:
            async with asyncio.timeout(_PATIENCE):
                await asyncio.shield(self._reading)
        except (ServiceError, TimeoutError) as exc:
            raise _silent() from exc

    async def read_again(self) -> None:
        """Read what has changed until this call. Raises Unavailable as `read`."""
        if self._reading is not None and not self._reading.done():
            # It may have asked before the change.
            done, _ = await asyncio.wait([self._reading], timeout=_PATIENCE)
            if not done:
                raise _silent()
        await self.read()

    def caller_with(self, text: str) -> Caller | None:
        """Return the caller that a key's text belongs to; None for a key that does not count."""
        token = parse_token(text)
        known = self._known.get(token.id) if token else None
        if known is not None and token is not None:
            return known.caller if known.has_secret(token.digest) and known.counts else None
        if self._operator is not None and hmac.compare_digest(digest_of(text), self._operator):
            return _OPERATOR
        return None

    def caller_of_id(self, key_id: str) -> tuple[Caller, bytes] | None:
        """Return the caller of a key that counts, and the digest of its secret."""
        if key_id == OPERATOR and self._operator is not None:
            return _OPERATOR, self._operator
        known = self._known.get(key_id)
        return (known.caller, known.digest) if known is not None and known.counts else None

    async def _watch(self) -> None:
        lost = False
        while True:
            try:
                await self.read()
                lost = False
            except Unavailable as exc:
                if not lost:
                    log.warning("keys can't be read", reason=str(exc.__cause__))
                lost = True
            except Exception as exc:
                log.error("reading keys failed", exc_info=exc)
            await asyncio.sleep(_INTERVAL)

    async def _read(self) -> None:
        asked = asyncio.get_running_loop().time()
        with redis_errors():
            version = await self._redis.execute("GET", API_KEYS_VERSION)
            if version != self._version:
                await self._read_all()
        self._confirmed = asked

    async def _read_all(self) -> None:
        # The version first: a change in between is read again with the next one.
        version, texts, secret = await self._redis.pipeline(
            [("GET", API_KEYS_VERSION), ("HGETALL", API_KEYS), ("GET", SESSION_SECRET)]
        )
        self._take(_pairs(texts))
        self.session_secret = secret or b""
        self._version = version

    def _take(self, texts: dict[str, bytes]) -> None:
        """Replace the keys; only those with another text than before are parsed."""
        known = {}
        for key_id, text in texts.items():
            if self._texts.get(key_id) == text:
                known[key_id] = self._known[key_id]
                continue
            try:
                known[key_id] = KnownKey.of(KeyRecord.model_validate_json(text))
            except ValidationError:
                log.error("the record of a key can't be read", key=key_id)
        self._texts = {key_id: texts[key_id] for key_id in known}
        self._known = known


def _silent() -> Unavailable:
    detail = "Redis does not answer, so no key can be checked; try again soon."
    return Unavailable(detail, retry_after=1)


def _pairs(reply: Any) -> dict[str, bytes]:
    """Return the fields of a hash, as either form of Redis's protocol sends them."""
    items = reply.items() if isinstance(reply, dict) else zip(reply[::2], reply[1::2], strict=True)
    return {name.decode(): value for name, value in items}


def _take_failure(reading: asyncio.Task[None]) -> None:
    """Mark the failure of a read as seen: all who waited for it may have lost their patience."""
    if not reading.cancelled():
        reading.exception()
