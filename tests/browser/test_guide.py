"""The guide in a browser: the search finds pages without internet, and pages fit a phone."""

from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, expect

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGES = ["", "start/install/", "reference/operations/", "reference/settings/", "errors/"]


async def test_the_search_finds_a_page_without_internet(browser: Browser, gateway_url: str) -> None:
    page = await browser.new_page(base_url=gateway_url)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(urlsplit(request.url).netloc))

    await page.goto("/guide/")
    await page.get_by_role("textbox", name="Search").first.fill("idempotency key")
    await page.keyboard.press("Enter")

    found = page.locator("#search-results li a")
    await expect(found.first).to_be_visible()
    await expect(page.locator("#search-results")).to_contain_text("Jobs")
    await page.close()
    assert set(asked) == {urlsplit(gateway_url).netloc}


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("colours", ["light", "dark"])
async def test_a_page_fits_a_phone(
    browser: Browser, gateway_url: str, path: str, colours: str
) -> None:
    context = await browser.new_context(
        base_url=gateway_url,
        viewport={"width": 390, "height": 844},
        color_scheme=colours,  # type: ignore[arg-type]  # a parameter of the test
    )
    page = await context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))

    await page.goto(f"/guide/{path}")

    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    await context.close()
    assert errors == []
