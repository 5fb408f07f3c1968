"""Fixtures: a browser, and the page in it."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from bench.exact.chromium import QUIET
from bench.exact.needs import CHROMIUM

ARGUMENTS = [*QUIET, "--disable-quic"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """The Chromium of this machine; the test is skipped if there is none."""
    if CHROMIUM.path is None:
        pytest.skip("no Chromium or Chrome is installed here")
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM.path, args=ARGUMENTS)
        yield chromium
        await chromium.close()


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser, gateway_url: str) -> AsyncIterator[Page]:
    """The page in a browser context of its own; an error in its scripts fails the test."""
    context = await browser.new_context(base_url=gateway_url, color_scheme="light")
    page = await context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    await page.goto("/")
    yield page
    await context.close()
    assert errors == []
