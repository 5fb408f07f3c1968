"""The limits that a key may give to the keys that it makes or imports."""

from typing import Any

import httpx
import pytest

from contracts.access.keys import KeyLimits
from contracts.errors import Forbidden
from services.gateway.access.caller import Caller
from services.gateway.access.keys.granted_limits import check_limits
from services.gateway.access.keys.keyring import OPERATOR
from services.gateway.limit_settings import LimitSettings
from tests.gateway.access.gateways import ADMIN, bearer, make


@pytest.mark.asyncio(loop_scope="module")
async def test_an_admin_of_a_project_does_not_lift_its_own_limits(
    keyed: httpx.AsyncClient,
) -> None:
    own = await make(keyed, "admin", project="website", limits={"rate_calls": 1})
    headers = bearer(own["key"])
    new: dict[str, Any] = {"name": "more", "scopes": ["render"]}
    for limits, status in [
        ({"rate_calls": 100_000}, 403),
        (None, 403),
        ({"rate_megapixels": 1}, 403),
        ({"rate_calls": 1}, 201),
        ({"rate_calls": 0.5, "daily_megapixels": 10}, 201),
    ]:
        answer = await keyed.post("/v1/keys", json={**new, "limits": limits}, headers=headers)
        assert answer.status_code == status, limits
    listed = (await keyed.get("/v1/keys?digests=true", headers=headers)).json()["keys"]
    [record] = [one for one in listed if one["id"] == own["id"]]
    path, looser = f"/v1/keys/{own['id']}", {**record, "limits": {"rate_calls": 2}}
    refused = await keyed.put(path, json=looser, headers=headers)
    assert refused.status_code == 403
    assert "`rate_calls` of 1 at most" in refused.json()["detail"]
    assert (await keyed.put(path, json=record, headers=headers)).status_code == 200
    assert (await keyed.put(path, json=looser, headers=ADMIN)).status_code == 200


@pytest.mark.parametrize(
    ("own", "general", "given", "allowed"),
    [
        ({}, {}, {}, True),
        ({}, {}, {"rate_calls": 1e9}, True),
        ({}, {"rate_calls": 5}, {}, True),
        ({}, {"rate_calls": 5}, {"rate_calls": 5}, True),
        ({}, {"rate_calls": 5}, {"rate_calls": 6}, False),
        ({"rate_calls": 9}, {"rate_calls": 5}, {"rate_calls": 6}, False),
        ({"rate_calls": 9}, {"rate_calls": 5}, {}, True),
        ({"rate_megapixels": 3}, {"rate_megapixels": 5}, {"rate_megapixels": 4}, False),
        ({"rate_megapixels": 3}, {"rate_megapixels": 5}, {}, False),
        ({"daily_megapixels": 0}, {}, {"daily_megapixels": 1}, False),
        ({"daily_megapixels": 7}, {}, {}, False),
        ({"daily_megapixels": 7}, {"daily_megapixels": 5}, {"daily_megapixels": 6}, True),
    ],
)
def test_a_key_gives_the_stricter_of_its_own_limits_and_the_settings(
    own: dict[str, Any], general: dict[str, Any], given: dict[str, Any], allowed: bool
) -> None:
    caller = Caller(key="aaaaaaaaaa", limits=KeyLimits(**own))
    limits, settings = KeyLimits(**given), LimitSettings(**general)
    if allowed:
        check_limits(caller, limits, settings)
    else:
        with pytest.raises(Forbidden):
            check_limits(caller, limits, settings)
    check_limits(Caller(key=OPERATOR), limits, settings)
