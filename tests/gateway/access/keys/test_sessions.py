"""The cookie that a browser gets for a key: its attributes, its end, its permission."""

import time

import httpx
import pytest

from tests.gateway.access.gateways import ADMIN_KEY, bearer, client_of, settings_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

JOBS = "/v1/jobs"
NEW = {"name": "browser", "project": "website", "scopes": ["read-jobs"]}


async def signed_in(client: httpx.AsyncClient, **new: object) -> tuple[str, str]:
    """Make a key, sign in with it, and return its id and the value of the cookie."""
    made = (await client.post("/v1/keys", json={**NEW, **new}, headers=bearer(ADMIN_KEY))).json()
    answer = await client.post("/v1/session", headers=bearer(made["key"]))
    assert answer.status_code == 200
    assert (answer.json()["key"], answer.json()["project"]) == (made["id"], "website")
    client.cookies.clear()
    return made["id"], answer.headers["set-cookie"].partition(";")[0]


async def status(client: httpx.AsyncClient, cookie: str, path: str = JOBS) -> int:
    return (await client.get(path, headers={"Cookie": f"theme=dark; {cookie}"})).status_code


async def test_a_cookie_does_what_its_key_does_until_the_key_is_revoked(
    keyed: httpx.AsyncClient,
) -> None:
    key_id, cookie = await signed_in(keyed)

    assert await status(keyed, cookie) == 200
    assert await status(keyed, cookie, "/v1/images") == 403
    # A cookie makes no other one, so a session can't be made to last for ever.
    for other in ({}, {"Authorization": "Basic YTpi"}):
        again = await keyed.post("/v1/session", headers={"Cookie": cookie, **other})
        assert again.status_code == 401, other

    await keyed.delete(f"/v1/keys/{key_id}", headers=bearer(ADMIN_KEY))
    assert await status(keyed, cookie) == 401


async def test_a_rotation_of_the_key_ends_its_sessions(keyed: httpx.AsyncClient) -> None:
    key_id, cookie = await signed_in(keyed)
    path = f"/v1/keys/{key_id}/rotate?grace=60"
    assert (await keyed.post(path, headers=bearer(ADMIN_KEY))).status_code == 200
    assert await status(keyed, cookie) == 401


async def test_a_session_ends_after_its_time(
    keyed: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, cookie = await signed_in(keyed)
    assert await status(keyed, cookie) == 200
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 12 * 3600 + 1)
    assert await status(keyed, cookie) == 401


async def test_a_changed_cookie_counts_nothing(keyed: httpx.AsyncClient) -> None:
    _, cookie = await signed_in(keyed)
    other, _ = await signed_in(keyed)
    name, _, value = cookie.partition("=")
    key_id, ends, mac = value.split(".")
    for forged in (
        f"{other}.{ends}.{mac}",
        f"{key_id}.{int(ends) + 1}.{mac}",
        f"{key_id}.{ends}.{mac[:-1]}",
        f"{key_id}.{ends}.{'A' * 43}",
        f"operator.{ends}.{mac}",
        f"{key_id}.{'9' * 400}.{mac}",
        "",
    ):
        assert await status(keyed, f"{name}={forged}") == 401, forged


async def test_a_cookie_counts_beside_others_of_its_name(keyed: httpx.AsyncClient) -> None:
    _, cookie = await signed_in(keyed)
    name = cookie.partition("=")[0]
    assert await status(keyed, f"{name}=of-another-path; {name}=; {cookie}") == 200
    assert await status(keyed, "; ".join([f"{name}=x"] * 4 + [cookie])) == 401


async def test_a_cookie_over_https_has_a_name_that_no_other_host_can_use(
    keyed: httpx.AsyncClient,
) -> None:
    _, cookie = await signed_in(keyed)
    secure = f"https://127.0.0.1{JOBS}"
    assert await status(keyed, cookie, secure) == 401
    assert await status(keyed, f"__Secure-{cookie}", secure) == 401
    assert await status(keyed, f"{cookie}x; __Host-{cookie}", secure) == 200


@pytest.mark.parametrize(("scheme", "secure"), [("http", False), ("https", True)])
async def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(
    keyed: httpx.AsyncClient, scheme: str, secure: bool
) -> None:
    answer = await keyed.post(f"{scheme}://127.0.0.1/v1/session", headers=bearer(ADMIN_KEY))
    cookie = answer.headers["set-cookie"].split("; ")
    assert {"HttpOnly", "SameSite=strict", "Path=/", "Max-Age=43200"} <= set(cookie)
    assert ("Secure" in cookie) is secure
    assert answer.headers["cache-control"] == "no-store"

    gone = await keyed.delete(f"{scheme}://127.0.0.1/v1/session")
    assert gone.status_code == 204
    name = "__Host-darkroom_session" if secure else "darkroom_session"
    assert cookie[0].startswith(f"{name}=")
    assert gone.headers["set-cookie"].startswith(f'{name}=""; ')
    assert "Max-Age=0" in gone.headers["set-cookie"]


async def test_a_browser_shows_the_next_user_nothing_that_it_has_kept(
    keyed: httpx.AsyncClient,
) -> None:
    _, cookie = await signed_in(keyed)
    for headers in ({"Cookie": cookie}, bearer(ADMIN_KEY)):
        answer = await keyed.get(JOBS, headers=headers)
        assert answer.headers["vary"] == "Authorization, Cookie"
    gone = await keyed.delete("/v1/session", headers={"Cookie": cookie})
    assert gone.headers["clear-site-data"] == '"cache"'


async def test_the_cookie_belongs_to_the_prefix_of_a_proxy(redis_url: str) -> None:
    async with client_of(settings_of(redis_url), root_path="/images") as client:
        answer = await client.post("/images/v1/session", headers=bearer(ADMIN_KEY))
        assert "Path=/images" in answer.headers["set-cookie"].split("; ")
        secure = await client.post("https://127.0.0.1/images/v1/session", headers=bearer(ADMIN_KEY))
        assert secure.headers["set-cookie"].startswith("__Secure-darkroom_session=")
