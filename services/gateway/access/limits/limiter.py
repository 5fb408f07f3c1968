"""The accounts of the callers that this process has seen lately."""

from collections import OrderedDict
from functools import lru_cache

from prometheus_client import Counter
from starlette.types import Scope

from services.gateway.access.caller import EVERYBODY, Caller
from services.gateway.access.limits.account import Account, Owners
from services.gateway.access.limits.policies import Limits, Policies
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
        self._accounts: OrderedDict[tuple[Owners, Limits], Account] = OrderedDict()
        self._refused = Counter(
            "darkroom_limited",
            "Requests that a limit refused, by policy.",
            ["policy"],
            registry=metrics.registry,
        )

    def account_of(self, caller: Caller) -> Account | None:
        """Return the account of a caller; None for one without limits."""
        limits = self._policies.limits_of(caller)
        if limits is None:
            return None
        owners = _owners(caller.key, caller.project, caller is EVERYBODY)
        name = owners, limits
        account = self._accounts.get(name)
        if account is None:
            account = self._accounts[name] = Account(self._redis, owners, limits, self._on_refusal)
            if len(self._accounts) > _ACCOUNTS:
                self._accounts.popitem(last=False)
        else:
            self._accounts.move_to_end(name)
        return account

    def _on_refusal(self, policy: str) -> None:
        self._refused.labels(policy).inc()


def set_account(scope: Scope, account: Account) -> None:
    """Note the account of a request."""
    scope[_ACCOUNT] = account


def account_of(scope: Scope) -> Account | None:
    """Return the account that a request counts for; None without limits."""
    account: Account | None = scope.get(_ACCOUNT)
    return account


@lru_cache(_ACCOUNTS)
def _owners(key: str, project: str, is_open: bool) -> Owners:
    own = f"key:{key}" if key else f"project:{project}"
    return Owners(caller="open" if is_open else own, project=project, key=key)
