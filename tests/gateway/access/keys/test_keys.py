"""Keys over HTTP: ways to send a key, and the keys that each caller reads and changes."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from redis import Redis

from tests.gateway.access.gateways import ADMIN, bearer, client_of, make, settings_of
from tests.processes import valkey

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_secret_is_shown_once_and_stored_nowhere(keyed: httpx.AsyncClient) -> None:
    made = await make(keyed, "render", "admin")
    _, key_id, secret = made["key"].split("_", 2)
    assert key_id == made["id"]
    assert len(secret) == 43
    for query in ("", "?digests=true"):
        listed = (await keyed.get(f"/v1/keys{query}", headers=ADMIN)).text
        assert made["id"] in listed
        assert secret not in listed


async def test_a_request_has_one_key_in_the_form_of_bearer(keyed: httpx.AsyncClient) -> None:
    key = (await make(keyed, "read-jobs"))["key"]
    wrong = 'Bearer realm="darkroom", error="invalid_token"'
    none = 'Bearer realm="darkroom"'
    for lines, status, challenge in [
        ([f"Bearer {key}"], 200, None),
        ([f"bearer   {key} "], 200, None),
        ([f"Bearer {key}", "Basic YTpi"], 200, None),
        ([f"Bearer {key}", f"Bearer {key}"], 401, wrong),
        ([f"Bearer {key}x"], 401, wrong),
        ([f"Bearer {key[:-1]}"], 401, wrong),
        (["Bearer dk_aaaaaaaaaa_" + key.split("_", 2)[2]], 401, wrong),
        (["Bearer " + key.split("_", 2)[2]], 401, wrong),
        (["Bearer é"], 401, wrong),
        (["Bearer "], 401, wrong),
        (["Basic YTpi"], 401, none),
        ([key], 401, none),
        ([], 401, none),
    ]:
        headers = [("Authorization", line.encode("utf-8")) for line in lines]
        answer = await keyed.get("/v1/jobs", headers=headers)
        assert (answer.status_code, answer.headers.get("www-authenticate")) == (
            status,
            challenge,
        ), lines


async def test_a_key_ends_at_its_time(keyed: httpx.AsyncClient) -> None:
    made = await make(keyed, "read-jobs", ttl=60)
    ends = datetime.fromisoformat(made["expires"]) - datetime.now(UTC)
    assert timedelta(seconds=50) < ends <= timedelta(seconds=60)
    [record] = [
        one
        for one in (await keyed.get("/v1/keys?digests=true", headers=ADMIN)).json()["keys"]
        if one["id"] == made["id"]
    ]
    path, headers = f"/v1/keys/{made['id']}", bearer(made["key"])
    assert (await keyed.get("/v1/jobs", headers=headers)).status_code == 200
    ended = {**record, "expires": "2026-01-01T00:00:00Z"}
    assert (await keyed.put(path, json=ended, headers=ADMIN)).status_code == 200
    assert (await keyed.get("/v1/jobs", headers=headers)).status_code == 401
    assert (await keyed.post(f"{path}/rotate", headers=ADMIN)).status_code == 404


async def test_an_old_secret_counts_for_its_grace_and_not_longer(keyed: httpx.AsyncClient) -> None:
    made = await make(keyed, "read-jobs")
    path = f"/v1/keys/{made['id']}/rotate"
    texts = [made["key"]]
    for grace in (60, 0):
        rotated = await keyed.post(f"{path}?grace={grace}", headers=ADMIN)
        texts.append(rotated.json()["key"])
        counts = [
            (await keyed.get("/v1/jobs", headers=bearer(text))).status_code == 200 for text in texts
        ]
        assert counts == ([True, True] if grace else [False, False, True])


async def test_an_admin_of_a_project_reaches_the_keys_of_the_project_alone(
    keyed: httpx.AsyncClient,
) -> None:
    own = await make(keyed, "admin", project="website")
    other = await make(keyed, "admin", project="shop")
    headers = bearer(own["key"])
    listed = (await keyed.get("/v1/keys?digests=true", headers=headers)).json()["keys"]
    assert {key["project"] for key in listed} == {"website"}
    record = {**listed[0], "id": other["id"]}
    new = {"name": "x", "scopes": ["render"]}
    path = f"/v1/keys/{other['id']}"
    for answer, status in [
        (await keyed.delete(path, headers=headers), 404),
        (await keyed.post(f"{path}/rotate", headers=headers), 404),
        (await keyed.put(path, json=record, headers=headers), 404),
        (await keyed.put(path, json={**record, "project": "shop"}, headers=headers), 403),
        (await keyed.post("/v1/keys", json={**new, "project": "shop"}, headers=headers), 403),
        (await keyed.post("/v1/keys", json=new, headers=headers), 201),
    ]:
        assert answer.status_code == status, answer.text
    assert answer.json()["project"] == "website"
    assert (await keyed.get("/v1/keys", headers=bearer(other["key"]))).status_code == 200


async def test_wrong_descriptions_of_keys_are_refused_by_name(keyed: httpx.AsyncClient) -> None:
    for body, detail in [
        ({"name": "a", "scopes": []}, "scopes"),
        ({"name": "a", "scopes": ["all"]}, "scopes"),
        ({"name": "", "scopes": ["render"]}, "name"),
        ({"name": "a", "scopes": ["render"], "project": "A"}, "project"),
        ({"name": "a", "scopes": ["render"], "ttl": 0}, "ttl"),
        ({"name": "a", "scopes": ["render"], "secret": "b"}, "secret"),
    ]:
        answer = await keyed.post("/v1/keys", json=body, headers=ADMIN)
        assert answer.status_code == 422
        assert detail in answer.json()["detail"]
    form = await keyed.post("/v1/keys", data={"name": "a"}, headers=ADMIN)
    assert form.status_code == 415


async def test_answers_to_a_key_are_private_and_those_for_everybody_are_not(
    keyed: httpx.AsyncClient,
) -> None:
    key = (await make(keyed, "render"))["key"]
    answer = await keyed.get(f"/v1/images/{'0' * 64}", headers=bearer(key))
    assert (answer.status_code, answer.headers["cache-control"]) == (404, "private, max-age=5")
    page = await keyed.get("/", headers=bearer(key))
    assert "private" not in page.headers["cache-control"]


async def test_a_render_as_a_job_needs_the_scope_of_jobs_too(keyed: httpx.AsyncClient) -> None:
    later = {"Prefer": "respond-async"}
    render = (await make(keyed, "render"))["key"]
    refused = await keyed.post(
        "/v1/render?op=flip", content=b"x", headers={**bearer(render), **later}
    )
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert "`jobs`" in refused.json()["detail"]


async def test_a_key_is_revoked_while_redis_is_full() -> None:
    with valkey() as server:
        url = str(server.connection_url)
        async with client_of(settings_of(url)) as client:
            made = await make(client, "read-jobs")
            with Redis.from_url(url) as redis:
                redis.config_set("maxmemory", "1")
            revoked = await client.delete(f"/v1/keys/{made['id']}", headers=ADMIN)
            assert revoked.status_code == 204, revoked.text
            answer = await client.get("/v1/jobs", headers=bearer(made["key"]))
            assert answer.status_code == 401
