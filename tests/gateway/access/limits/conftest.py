"""Accounts over a real Redis: each has a connection of its own, as in a process of its own."""

from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import pytest

from services.gateway.access.caller import Caller
from services.gateway.access.limits.account import Account, Owners
from services.gateway.access.limits.policies import Limits
from services.runtime.redis.client import RedisClient, make_redis
from services.runtime.settings import RuntimeSettings

NewAccount = Callable[[Limits], Account]


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[RedisClient]:
    client = make_redis(RuntimeSettings(redis_url=redis_url))
    yield client
    await client.close()


@pytest.fixture
def owners() -> Owners:
    """A caller whom no other test knows."""
    name = uuid4().hex
    return Owners(caller=f"key:{name}", project=name, key=name)


@pytest.fixture
async def gateway_account(redis_url: str, owners: Owners) -> AsyncIterator[NewAccount]:
    """Makes the account of one caller in another gateway with each call."""
    clients: list[RedisClient] = []

    def make(limits: Limits) -> Account:
        clients.append(make_redis(RuntimeSettings(redis_url=redis_url)))
        return Account(clients[-1], owners, limits, on_refusal=lambda policy: None)

    yield make
    for client in clients:
        await client.close()


@pytest.fixture
def caller(owners: Owners) -> Caller:
    """The same caller, as requests have it."""
    return Caller(owners.project, key=owners.key)
