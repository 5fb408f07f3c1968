"""The limit of the number of keys, and the removal of those that have ended."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from redis import Redis

from services.gateway.access.keys import room
from services.gateway.access.keys.records import KeyRecord
from services.runtime.redis.keys import API_KEYS, API_KEYS_VERSION, removed_api_keys
from tests.gateway.access.gateways import ADMIN, bearer, make

pytestmark = pytest.mark.asyncio(loop_scope="module")

NEW = {"name": "one more", "scopes": ["render"]}


@pytest.fixture(autouse=True)
def _no_keys(redis_url: str) -> None:
    with Redis.from_url(redis_url) as redis:
        removed = map(removed_api_keys, ("default", "website", "shop"))
        redis.delete(API_KEYS, API_KEYS_VERSION, *removed)


async def records_of(client: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    listed = await client.get("/v1/keys?digests=true", headers=ADMIN)
    return {record["id"]: record for record in listed.json()["keys"]}


async def put(client: httpx.AsyncClient, record: dict[str, Any]) -> httpx.Response:
    return await client.put(f"/v1/keys/{record['id']}", json=record, headers=ADMIN)


async def revoke(client: httpx.AsyncClient, key_id: str) -> None:
    assert (await client.delete(f"/v1/keys/{key_id}", headers=ADMIN)).status_code == 204


async def test_one_project_leaves_room_for_the_keys_of_others(
    keyed: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MAX_PROJECT_KEYS", 3)
    monkeypatch.setattr(room, "MAX_KEYS", 7)
    own = bearer((await make(keyed, "admin", project="website"))["key"])
    for _ in range(3):
        made = [await keyed.post("/v1/keys", json=NEW, headers=own) for _ in range(3)]
        assert [one.status_code for one in made] == [201, 201, 409]
        assert "`website`" in made[2].json()["detail"]
        for one in made[:2]:
            await revoke(keyed, one.json()["id"])
    assert len(await records_of(keyed)) <= 6
    await make(keyed, "render", project="shop")


async def test_there_are_no_more_keys_than_a_gateway_holds(
    keyed: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MAX_KEYS", 2)
    first = await make(keyed, "render", project="website")
    second = await make(keyed, "render")
    full = await keyed.post("/v1/keys", json=NEW, headers=ADMIN)
    assert (full.status_code, full.json()["code"]) == (409, "conflict")
    await revoke(keyed, first["id"])
    third = await make(keyed, "render")
    assert set(await records_of(keyed)) == {second["id"], third["id"]}


async def test_room_that_another_gateway_has_taken_meanwhile_is_none(
    keyed: httpx.AsyncClient, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MAX_PROJECT_KEYS", 1)
    made = await make(keyed, "render")
    with Redis.from_url(redis_url) as redis:
        record = redis.hget(API_KEYS, made["id"])
        redis.delete(API_KEYS, API_KEYS_VERSION)
        find = room.ended_too_long

        def find_slowly(*args: Any) -> dict[str, list[KeyRecord]]:
            redis.hset(API_KEYS, made["id"], record)
            redis.set(API_KEYS_VERSION, "of the other gateway")
            return find(*args)

        monkeypatch.setattr(room, "ended_too_long", find_slowly)
        full = await keyed.post("/v1/keys", json=NEW, headers=ADMIN)
    assert full.status_code == 409
    assert set(await records_of(keyed)) == {made["id"]}


async def test_keys_that_are_made_at_once_stay_below_the_limit(
    keyed: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MAX_PROJECT_KEYS", 3)
    asked = (keyed.post("/v1/keys", json=NEW, headers=ADMIN) for _ in range(8))
    answers = await asyncio.gather(*asked)
    assert sorted(one.status_code for one in answers) == [201] * 3 + [409] * 5


async def test_a_removed_key_never_comes_back(
    keyed: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await make(keyed, "read-jobs")
    exported = (await records_of(keyed))[made["id"]]
    await revoke(keyed, made["id"])
    await make(keyed, "render")
    assert made["id"] in await records_of(keyed)  # it ended a moment ago
    monkeypatch.setattr(room, "KEPT", timedelta(0))
    await make(keyed, "render")
    assert made["id"] not in await records_of(keyed)

    refused = await put(keyed, exported)

    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert (await keyed.get("/v1/jobs", headers=bearer(made["key"]))).status_code == 401


async def test_a_removed_key_whose_id_is_forgotten_does_not_come_back_either(
    keyed: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "KEPT", timedelta(0))
    monkeypatch.setattr(room, "MAX_REMOVED", 2)
    made = [await make(keyed, "render") for _ in range(4)]
    exported = await records_of(keyed)
    for one in made[:3]:
        await revoke(keyed, one["id"])
    await make(keyed, "render")
    assert set(await records_of(keyed)) & {one["id"] for one in made} == {made[3]["id"]}

    for one in made[:3]:
        assert (await put(keyed, exported[one["id"]])).status_code == 409
    unknown = {**exported[made[3]["id"]], "id": "a" * 10}
    assert (await put(keyed, unknown)).status_code == 200
    older = datetime.now(UTC) - timedelta(days=1)
    too_old = {**unknown, "id": "b" * 10, "created": older.isoformat()}
    assert (await put(keyed, too_old)).status_code == 409
    # The removed keys of another project say nothing about this one's.
    assert (await put(keyed, {**too_old, "project": "website"})).status_code == 200
