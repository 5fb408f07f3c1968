"""No key, no cookie and no digest is in the log of a gateway, wherever a client writes it."""

import httpx
import pytest
from pydantic import ValidationError
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from services.gateway.settings import GatewaySettings
from tests.gateway.access.gateways import ADMIN_KEY, bearer
from tests.processes import faststream


def test_the_log_has_no_secret(workerless_redis: str) -> None:
    env = {
        "DARKROOM_ACCESS": "keys",
        "DARKROOM_ADMIN_KEY": ADMIN_KEY,
        "DARKROOM_LOG_LEVEL": "DEBUG",
    }
    with (
        faststream("gateway", workerless_redis, env=env) as service,
        httpx.Client(base_url=service.url, headers=bearer(ADMIN_KEY), timeout=20) as client,
    ):
        new = {"name": "secretive", "scopes": ["render"]}
        made = client.post("/v1/keys", json=new).json()
        key = made["key"]
        session = client.post("/v1/session").cookies["darkroom_session"]
        client.cookies.clear()
        for headers in (bearer(key), bearer(key + "x"), {"Cookie": f"darkroom_session={session}"}):
            client.get(f"/v1/images/{key}?key={key}", headers=headers)
            client.get(f"/{key}", headers=headers)
        live = service.url.replace("http", "ws") + f"/v1/live?key={key}"
        with connect(live, additional_headers=bearer(ADMIN_KEY)):
            pass
        with pytest.raises(InvalidStatus):
            connect(live, additional_headers=bearer(key))
        client.post(f"/v1/keys/{made['id']}/rotate")
        client.delete(f"/v1/keys/{made['id']}")
        printed = service.output()

    assert '"key": "operator"' in printed
    assert made["id"] in printed
    for secret in (key.split("_", 2)[2], ADMIN_KEY, session.rpartition(".")[2]):
        assert secret not in printed
    assert "ASGI callable returned without" not in printed


def test_a_key_in_a_wrong_setting_is_not_repeated() -> None:
    for key in ("short-and-secret", f"{ADMIN_KEY} and more", ADMIN_KEY * 10):
        with pytest.raises(ValidationError) as refused:
            GatewaySettings.model_validate({"admin_key": key})
        assert "32 visible" in str(refused.value)
        assert key not in str(refused.value)
    assert ADMIN_KEY not in repr(GatewaySettings.model_validate({"admin_key": ADMIN_KEY}))
