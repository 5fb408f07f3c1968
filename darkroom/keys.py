"""API keys, as the routes below `/v1/keys` make, list, rotate, revoke and import them."""

from collections.abc import Awaitable, Callable, Collection
from datetime import datetime
from typing import Any

import httpx
from pydantic import BaseModel

from contracts.access.keys import KeyLimits, KeyScope
from darkroom.answers import parse

_Request = Callable[..., Awaitable[httpx.Response]]


class ApiKey(BaseModel):
    """A key, without its secret."""

    id: str
    name: str
    project: str
    scopes: tuple[KeyScope, ...]
    created: datetime
    expires: datetime | None  # None: never
    revoked: datetime | None  # None: it is valid
    limits: KeyLimits | None = None  # None: those of the gateway's settings


class MadeKey(ApiKey):
    """A key with its text, which the gateway shows this once."""

    key: str


class WebhookSecret(BaseModel):
    """The secret of a project's webhooks: two texts while the operator changes it."""

    project: str
    secrets: tuple[str, ...]


class _ApiKeys(BaseModel):
    keys: tuple[ApiKey, ...]


class _KeyRecords(BaseModel):
    keys: tuple[dict[str, Any], ...]


class Keys:
    """The keys of a gateway. Every method needs a key with the scope `admin`."""

    def __init__(self, request: _Request, request_once: _Request) -> None:
        self._request = request
        self._request_once = request_once

    async def make(
        self,
        name: str,
        scopes: Collection[KeyScope],
        *,
        project: str | None = None,
        ttl: int | None = None,
        limits: KeyLimits | None = None,
    ) -> MadeKey:
        """Make a key, which ends after `ttl` seconds if they are given.

        A limit that is left out is as the gateway's settings say.

        Never retried: a second request would make a second key.
        """
        new: dict[str, Any] = {"name": name, "scopes": [str(scope) for scope in scopes]}
        new |= {"project": project} if project is not None else {}
        new |= {"ttl": ttl} if ttl is not None else {}
        new |= {"limits": limits.model_dump(exclude_none=True)} if limits is not None else {}
        return parse(MadeKey, await self._request_once("POST", "/v1/keys", json=new))

    async def list(self) -> tuple[ApiKey, ...]:
        """Return all keys that the own key reaches, the newest first; never a secret."""
        return parse(_ApiKeys, await self._request("GET", "/v1/keys")).keys

    async def rotate(self, key_id: str, *, grace: int = 0) -> MadeKey:
        """Give a key another secret; the old one counts for `grace` seconds more."""
        path = f"/v1/keys/{key_id}/rotate?grace={grace}"
        return parse(MadeKey, await self._request_once("POST", path))

    async def revoke(self, key_id: str) -> None:
        """Revoke a key for ever."""
        await self._request("DELETE", f"/v1/keys/{key_id}")

    async def records(self) -> tuple[dict[str, Any], ...]:
        """Return the records of all keys, with digests of their secrets, for `put`."""
        answer = await self._request("GET", "/v1/keys?digests=true")
        return parse(_KeyRecords, answer).keys

    async def put(self, record: dict[str, Any]) -> ApiKey:
        """Store the record of a key of another gateway; its text counts here, too."""
        answer = await self._request("PUT", f"/v1/keys/{record['id']}", json=record)
        return parse(ApiKey, answer)

    async def webhook_secret(self, *, project: str | None = None) -> WebhookSecret:
        """Return the secret of the webhooks of the own key's project, or of another `project`.

        The operator's key alone reaches other projects, and the project `default`.
        """
        path = "/v1/webhook-secret" + (f"?project={project}" if project is not None else "")
        return parse(WebhookSecret, await self._request("GET", path))
