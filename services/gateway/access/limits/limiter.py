"""The accounts of the callers that this process has seen lately."""

from collections import OrderedDict
from collections.abc import Hashable

from prometheus_client import Counter
from starlette.types import Scope

from services.gateway.access.caller import EVERYBODY, Caller
from services.gateway.access.limits.account import Account, Owners
from services.gateway.access.limits.policies import Policies
from services.gateway.settings import GatewaySettings
from services.runtime.redis.client import RedisClient
from services.runtime.telemetry.metrics import Metrics

_ACCOUNT = "darkroom.limits.account"
_ACCOUNTS = 4096
"""Accounts in memory. One that is dropped loses what it has taken in advance."""


class Limiter:
    """Finds the account that a request counts for."""

    def __init__(self, redis: RedisClient, settings: GatewaySettings, metrics: Metrics) -> None:
        self._redis = redis
        self._policies = Policies(settings)
        self._accounts: OrderedDict[Hashable, Account | None] = OrderedDict()
        self._refused = Counter(
            "darkroom_limited",
            "Requests that a limit refused, by policy.",
            ["policy"],
            registry=metrics.registry,
        )

    def account_of(self, caller: Caller) -> Account | None:
        """Return the account of a caller; None for one without limits."""
        if caller.limits is None and not self._policies.any_for_all:
            return None
        name = caller.key, caller.project, caller.limits, caller is EVERYBODY
        try:
            self._accounts.move_to_end(name)
        except KeyError:
            self._accounts[name] = self._new(caller)
            if len(self._accounts) > _ACCOUNTS:
                self._accounts.popitem(last=False)
        return self._accounts[name]

    def _new(self, caller: Caller) -> Account | None:
        limits = self._policies.limits_of(caller)
        if limits is None:
            return None
        own = f"key:{caller.key}" if caller.key else f"project:{caller.project}"
        name = "open" if caller is EVERYBODY else own
        owners = Owners(caller=name, project=caller.project, key=caller.key)
        return Account(self._redis, owners, limits, self._on_refusal)

    def _on_refusal(self, policy: str) -> None:
        self._refused.labels(policy).inc()


def set_account(scope: Scope, account: Account) -> None:
    """Note the account of a request."""
    scope[_ACCOUNT] = account


def account_of(scope: Scope) -> Account | None:
    """Return the account that a request counts for; None without limits."""
    account: Account | None = scope.get(_ACCOUNT)
    return account
