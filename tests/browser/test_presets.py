"""Presets of the gateway on the page: chosen from a list, in place of the edits."""

import json

import pytest
from playwright.async_api import Locator, Page, Route, expect

from tests.browser.interactions import card_of, choose, photograph

PRESETS = [
    {"name": "card", "vary": {"w": [320, 640], "tone": ["warm", "cold"]}},
    {"name": "gray", "vary": {}},
]

pytestmark = pytest.mark.asyncio(loop_scope="module")


def select(page: Page, name: str) -> Locator:
    """Return the select with a label."""
    return page.get_by_role("combobox", name=name, exact=True)


async def list_presets(page: Page) -> None:
    """Open the page again, with a gateway that has presets."""

    async def answer(route: Route) -> None:
        await route.fulfill(body=json.dumps({"presets": PRESETS}), content_type="application/json")

    await page.route("**/v1/presets", answer)
    await page.goto("/")


async def test_without_presets_the_page_shows_nothing_of_them(page: Page) -> None:
    await expect(page.get_by_role("button", name="Black and white", exact=True)).to_be_visible()
    await expect(select(page, "Preset")).to_be_hidden()


async def test_a_preset_and_its_values_are_sent_in_place_of_the_edits(page: Page) -> None:
    await list_presets(page)
    await select(page, "Preset").select_option("card")
    await select(page, "w").select_option("640")
    await expect(page.get_by_role("button", name="Black and white", exact=True)).to_be_hidden()

    async with page.expect_request("**/v1/jobs?*") as sent:
        await choose(page, [photograph("house.jpg")])
    request = await sent.value

    assert request.url.endswith("?preset=card&w=640&tone=warm&label=house.jpg")
    card = card_of(page, "house.jpg")
    await expect(card).to_contain_text("Preset card (w 640, tone warm)")
    # The gateway of these tests has no such preset.
    await expect(card).to_contain_text("'card' is not a preset")
    await select(page, "Preset").select_option("")
    await expect(page.get_by_role("button", name="Black and white", exact=True)).to_be_visible()
    await expect(select(page, "w")).to_be_hidden()
