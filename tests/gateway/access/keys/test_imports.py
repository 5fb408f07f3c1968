"""An import never undoes a later change of a key here, and never widens its permission."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.gateway.access.gateways import ADMIN, bearer, make

pytestmark = pytest.mark.asyncio(loop_scope="module")

LATER = (datetime.now(UTC) + timedelta(days=2)).isoformat()


async def exported(client: httpx.AsyncClient, key_id: str) -> dict[str, Any]:
    listed = await client.get("/v1/keys?digests=true", headers=ADMIN)
    [record] = [one for one in listed.json()["keys"] if one["id"] == key_id]
    found: dict[str, Any] = record
    return found


async def put(client: httpx.AsyncClient, record: dict[str, Any]) -> httpx.Response:
    return await client.put(f"/v1/keys/{record['id']}", json=record, headers=ADMIN)


async def rotate(client: httpx.AsyncClient, key_id: str, grace: int = 0) -> str:
    path = f"/v1/keys/{key_id}/rotate?grace={grace}"
    return str((await client.post(path, headers=ADMIN)).json()["key"])


async def status(client: httpx.AsyncClient, key: str) -> int:
    return (await client.get("/v1/jobs", headers=bearer(key))).status_code


async def test_an_import_does_not_undo_a_rotation(keyed: httpx.AsyncClient) -> None:
    made = await make(keyed, "read-jobs")
    before = await exported(keyed, made["id"])
    new = await rotate(keyed, made["id"])
    after = await exported(keyed, made["id"])

    assert (await put(keyed, before)).status_code == 200

    assert await exported(keyed, made["id"]) == after
    assert (await status(keyed, made["key"]), await status(keyed, new)) == (401, 200)


async def test_an_import_takes_a_rotation_over(keyed: httpx.AsyncClient) -> None:
    made = await make(keyed, "read-jobs")
    soon = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    record = await exported(keyed, made["id"])
    other = {**record, "digest": "0" * 64, "rotated": soon}
    assert (await put(keyed, other)).status_code == 200
    assert await status(keyed, made["key"]) == 401
    # A rotation here comes after it, although its clock is behind.
    new = await rotate(keyed, made["id"])
    assert (await put(keyed, other)).status_code == 200
    assert await status(keyed, new) == 200


async def test_an_import_changes_neither_scopes_nor_secret(keyed: httpx.AsyncClient) -> None:
    made = await make(keyed, "read-jobs")
    record = await exported(keyed, made["id"])
    for change in (
        {"scopes": ["read-jobs", "render"]},
        {"project": "website"},
        {"created": LATER},
        {"digest": "0" * 64},
    ):
        refused = await put(keyed, {**record, **change})
        assert (refused.status_code, refused.json()["code"]) == (409, "conflict"), change
    grace = {"old_digest": "0" * 64, "old_until": LATER}
    assert (await put(keyed, {**record, **grace})).status_code == 200
    assert await exported(keyed, made["id"]) == record


async def test_a_key_that_has_expired_stays_so(keyed: httpx.AsyncClient) -> None:
    made = await make(keyed, "read-jobs")
    record = await exported(keyed, made["id"])
    for expires in (datetime.now(UTC).isoformat(), LATER):
        assert (await put(keyed, {**record, "expires": expires})).status_code == 200
        assert await status(keyed, made["key"]) == 401


async def test_records_that_contradict_themselves_are_refused(keyed: httpx.AsyncClient) -> None:
    made = await make(keyed, "read-jobs")
    record = {**await exported(keyed, made["id"]), "id": "a" * 10}
    for change in (
        {"old_digest": "0" * 64, "old_until": None},
        {"old_until": LATER},
        {"rotated": LATER},
    ):
        refused = await put(keyed, {**record, **change})
        assert refused.status_code == 422, change
        assert next(iter(change)) in refused.json()["detail"]
