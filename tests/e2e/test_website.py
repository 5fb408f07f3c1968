"""A day of a website: its visitors, its photographer and its operator, in Chromium behind nginx."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Response, async_playwright, expect

from bench.exact.chromium import QUIET
from bench.exact.needs import CHROMIUM
from tests.browser.interactions import card_of, drop, finished, sign_in
from tests.browser.interactions import photograph as photo_file
from tests.deploy.nginx import NGINX
from tests.e2e.pictures import photograph
from tests.e2e.website import (
    ADMIN_KEY,
    FETCH,
    OTHER_SECRET,
    PREFIX,
    SHOWN,
    Website,
    bearer,
    picture,
    responsive,
    signed,
    website,
)
from tests.processes import HTTP, Service

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(NGINX is None, reason="needs nginx: apt-get install nginx-light"),
    pytest.mark.skipif(CHROMIUM.path is None, reason="needs Chromium or Chrome"),
]


@pytest.fixture(scope="module")
def site(
    imaging: Service, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Website]:
    with website(redis_url, tmp_path_factory.mktemp("website")) as running:
        yield running


@pytest.fixture(scope="module")
def photographer(site: Website) -> tuple[str, dict[str, str]]:
    """The id of a key that may upload, and the header field with it."""
    return site.make_key("website", "upload")


@pytest.fixture(scope="module")
def portrait(site: Website, photographer: tuple[str, dict[str, str]]) -> str:
    """The path of a picture that the photographer has uploaded; it is shown on the sixth page."""
    sent = site.proxy.http.post(
        f"{PREFIX}/v1/images", content=photograph(1000, 500, seed=95), headers=photographer[1]
    )
    assert sent.status_code == 201, sent.text
    path = sent.headers["Location"]
    card = signed(f"{path}/render?preset=card&w=320", "w")
    gray = signed(f"{path}/render?op=grayscale&op=resize:width=200&format=auto")
    site.write_page("team", responsive(card, 320), picture(gray, 200))
    return str(path)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM.path, args=QUIET)
        yield chromium
        await chromium.close()


async def visitor(browser: Browser) -> BrowserContext:
    """A visitor with an empty cache and a screen with two pixels in each direction."""
    return await browser.new_context(ignore_https_errors=True, device_scale_factor=2)


async def visit(context: BrowserContext, site: Website) -> list[Response]:
    """Look at all pages; return the answers for pictures. Fail unless each is shown in its size."""
    answers: list[Response] = []
    page = await context.new_page()
    page.on("response", lambda one: answers.append(one) if PREFIX in one.url else None)
    for url in site.pages:
        await page.goto(url)
        shown = await page.evaluate(SHOWN)
        assert shown, url
        for one in shown:
            assert one["width"] == one["promised"], one
    return answers


def renders(imaging: Service) -> int:
    """Return how many renders the worker was asked for, by all gateways together."""
    lines = HTTP.get(f"{imaging.url}/metrics").text
    return sum(
        int(float(line.rpartition(" ")[2]))
        for line in lines.splitlines()
        if re.match(r'darkroom_call_seconds_count\{.*"imaging\.render".*side="server"', line)
    )


@pytest.mark.usefixtures("portrait")
async def test_six_pages_show_all_their_pictures_and_the_next_visitor_costs_no_render(
    site: Website, imaging: Service, browser: Browser
) -> None:
    assert len(site.pages) == 6
    before = renders(imaging)
    first = await visit(await visitor(browser), site)
    made = renders(imaging)
    second = await visit(await visitor(browser), site)
    third = await visit(await visitor(browser), site)

    assert made - before == 3 + 3 + 2 + 1 + 2  # `v` is no part of a result
    assert renders(imaging) == made
    assert len(first) == len(second) == len(third) == 14
    for one in (*first, *second, *third):
        assert one.headers["content-type"] in ("image/avif", "image/webp"), one.url
    for one in second:
        assert one.headers["cache-status"].endswith("darkroom; hit"), one.url
    lasting = [one for one in third if "src=today" not in one.url]
    assert {one.headers["x-cache"] for one in lasting} == {"HIT"}


async def test_a_changed_original_is_shown_after_its_revalidation(
    site: Website, browser: Browser
) -> None:
    page = await (await visitor(browser)).new_page()
    await page.goto(f"{site.proxy.url}/today.html")
    [before] = await page.evaluate(SHOWN)
    assert (before["width"], before["height"]) == (320, 240)

    (site.folder / "today/menu.jpg").write_bytes(photograph(900, 900, seed=91))
    end = time.monotonic() + 15
    after = before
    while after["height"] != 320:
        assert time.monotonic() < end, after
        await page.reload()
        [after] = await page.evaluate(SHOWN)
    assert (after["src"], after["width"]) == (before["src"], 320)


async def test_a_url_that_nobody_has_signed_shows_nothing(
    site: Website, browser: Browser, portrait: str
) -> None:
    banner = signed(f"{FETCH}?src=photos:hall.jpg&preset=banner&w=400", "w")
    card = signed(f"{portrait}/render?preset=card&w=320", "w")
    other = signed(f"{portrait}/render?op=flip", kid="other-1", secret=OTHER_SECRET)
    statuses = {
        banner.replace("hall", "kitchen"): 403,
        banner.replace("banner", "card"): 403,
        banner.replace("w=400", "w=401"): 422,
        banner.replace("&w=400", ""): 403,
        f"{banner}&op=flip": 403,
        card.replace("/render", ""): 403,
        other: 404,
        f"{FETCH}?src=photos:hall.jpg&preset=banner&w=400": 401,
        f"{FETCH}?src=photos:hall.jpg&op=resize:width=400": 401,
        f"{FETCH}?src=photos:hall.jpg&preset=card&w=321": 422,
        f"{FETCH}?src=photos:../presets.toml&preset=card&w=320": 422,
        f"{portrait}/render?op=flip": 401,
        f"{portrait}/render?preset=card&w=320": 401,
        portrait: 401,
    }
    url = site.write_page("none", *(picture(one, 0) for one in statuses))
    answers: dict[str, int] = {}
    page = await (await visitor(browser)).new_page()
    page.on("response", lambda one: answers.update({one.url: one.status}))
    await page.goto(url)
    shown = await page.evaluate(SHOWN)
    (site.html / "none.html").unlink()

    assert {one["width"] for one in shown} == {0}
    expected = {f"{site.proxy.url}{one}": status for one, status in statuses.items()}
    assert {one: answers[one] for one in expected} == expected


async def test_another_project_sees_nothing_of_it(site: Website, portrait: str) -> None:
    http = site.proxy.http
    _, stranger = site.make_key("other", "render", "upload", "fetch", "jobs", "read-jobs", "admin")

    for path in (portrait, f"{portrait}/info", f"{portrait}/render?op=flip"):
        assert http.get(path, headers=stranger).status_code == 404
    assert http.delete(portrait, headers=stranger).status_code == 404
    assert http.get(f"{PREFIX}/v1/images", headers=stranger).json()["images"] == []
    fetched = http.get(f"{FETCH}?src=photos:hall.jpg&op=flip", headers=stranger)
    assert (fetched.status_code, fetched.json()["code"]) == (403, "source_refused")
    preset = http.get(f"{FETCH}?src=photos:hall.jpg&preset=card&w=320", headers=stranger)
    assert preset.status_code == 422
    assert http.get(f"{PREFIX}/v1/presets", headers=stranger).json()["presets"] == []
    [own] = http.get(f"{PREFIX}/v1/keys", headers=stranger).json()["keys"]
    assert own["project"] == "other"
    # The same bytes: the answer does not tell that somebody has them.
    sent = http.post(
        f"{PREFIX}/v1/images", content=photograph(1000, 500, seed=95), headers=stranger
    )
    assert (sent.status_code, sent.headers["Location"] == portrait) == (201, False)


async def test_a_picture_for_a_key_is_kept_for_nobody_else(site: Website, portrait: str) -> None:
    _, reader = site.make_key("website", "render")
    address = f"{portrait}/render?op=resize:width=50"

    answers = [site.proxy.http.get(address, headers=reader) for _ in range(3)]

    assert [(one.status_code, one.headers["X-Cache"]) for one in answers] == [(200, "MISS")] * 3
    assert all("private" in one.headers["Cache-Control"] for one in answers)
    assert site.proxy.http.get(address).status_code == 401


async def test_a_member_of_the_team_signs_in_on_the_page_below_the_path(
    site: Website, browser: Browser
) -> None:
    _, key = site.make_key("website", "jobs", "read-jobs", "render")
    page = await (await visitor(browser)).new_page()
    events: list[str | bytes] = []
    page.on(
        "websocket", lambda socket: socket.on("framereceived", lambda text: events.append(text))
    )
    await page.goto(f"{site.proxy.url}{PREFIX}/")
    await drop(page, photo_file("house.jpg"))
    await sign_in(page, key["Authorization"].removeprefix("Bearer "))
    await finished(card_of(page, "house.jpg"))
    await expect(page.get_by_role("option", name="banner")).to_be_attached()

    result = card_of(page, "house.jpg").get_by_role("img", name="house.jpg, the result")
    assert await result.evaluate("image => image.decode().then(() => image.naturalWidth)") == 96
    assert events, "nginx has not passed the WebSocket on"
    assert await page.evaluate("document.cookie") == ""
    [cookie] = await page.context.cookies(f"{site.proxy.url}{PREFIX}/v1/jobs")
    assert await page.context.cookies(site.proxy.url) == []
    assert cookie["secure"]


async def test_a_revoked_key_is_dead_on_both_gateways_within_a_second(
    site: Website, photographer: tuple[str, dict[str, str]], portrait: str
) -> None:
    key_id, key = photographer

    def statuses() -> list[int]:
        picture = photograph(64, 48, seed=96)
        return [
            HTTP.post(f"{gateway.url}/v1/images", content=picture, headers=key).status_code
            for gateway in site.gateways
        ]

    assert set(statuses()) <= {200, 201}
    revoked = site.proxy.http.delete(f"{PREFIX}/v1/keys/{key_id}", headers=bearer(ADMIN_KEY))
    assert revoked.status_code == 204
    await asyncio.sleep(1)  # the time that docs/guides/access.md promises
    assert statuses() == [401, 401]
    # Images that were uploaded with the key stay, and so do their signed URLs.
    assert site.proxy.http.get(signed(f"{portrait}/render?op=resize:width=60")).status_code == 200
