"""The page of a gateway that asks for keys: a dialog, a cookie, its end, and a revoked key."""

from collections.abc import Iterator

import pytest
from playwright.async_api import Browser, expect

from contracts.access.keys import KeyScope
from tests.browser.interactions import card_of, choose, finished, photograph, sign_in
from tests.gateway.access.gateways import gateway
from tests.gateway.access.keys.test_revocation import make_key, revoke
from tests.processes import Service

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def keyed(imaging: Service, redis_url: str) -> Iterator[str]:
    with gateway(redis_url) as url:
        yield url


async def test_a_person_signs_in_with_a_key_and_sees_results_until_it_is_revoked(
    browser: Browser, keyed: str
) -> None:
    key_id, key = make_key(keyed, KeyScope.JOBS, KeyScope.READ_JOBS)
    page = await browser.new_page(base_url=keyed)
    await page.goto("/")
    dialog = page.get_by_role("dialog", name="Sign in")
    await expect(dialog).to_be_hidden()

    await choose(page, [photograph("house.jpg")])
    await expect(dialog).to_be_visible()
    await sign_in(page, "dk_wrong")
    await expect(dialog).to_contain_text("The key is unknown, revoked or expired.")
    await sign_in(page, key)
    await expect(dialog).to_be_hidden()
    await finished(card_of(page, "house.jpg"))
    result = card_of(page, "house.jpg").get_by_role("img", name="house.jpg, the result")
    assert await result.evaluate("async (image) => { await image.decode(); return true; }")
    assert await page.evaluate("document.cookie") == ""

    async with page.expect_event("load"):
        await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
    await choose(page, [photograph("house.jpg")])
    await sign_in(page, key)
    await finished(card_of(page, "house.jpg"))

    revoke(keyed, key_id)
    await choose(page, [photograph("garden.jpg")])
    await expect(dialog).to_be_visible()
    await dialog.get_by_role("button", name="Cancel").click()
    await expect(card_of(page, "garden.jpg")).to_have_attribute("data-state", "failed")
    await page.close()
