"""The limits that a caller may give to a key."""

import math

from contracts.access.keys import KeyLimits
from contracts.errors import Forbidden
from services.gateway.access.caller import Caller
from services.gateway.access.keys.keyring import OPERATOR
from services.gateway.limit_settings import LimitSettings


def check_limits(caller: Caller, limits: KeyLimits | None, settings: LimitSettings) -> None:
    """Check that the limits of a key are no looser than the settings' and its maker's own.

    A limit that is left out is that of the settings. The operator's key gives any limits.
    Raises Forbidden.
    """
    if caller.key == OPERATOR:
        return
    own, given = caller.limits or KeyLimits(), limits or KeyLimits()
    for name, general in (
        ("rate_calls", settings.rate_calls),
        ("rate_megapixels", settings.rate_megapixels),
        ("daily_megapixels", 0),  # the project's limit of a day counts beside that of its keys
    ):
        usual = general or math.inf
        limit: float | None = getattr(given, name)
        own_limit: float | None = getattr(own, name)
        most = usual if own_limit is None else min(usual, own_limit)
        if (usual if limit is None else limit) > most:
            raise Forbidden(
                f"This key makes keys with a `{name}` of {most:.15g} at most: give one."
            )
