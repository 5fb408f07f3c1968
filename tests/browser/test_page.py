"""The page in a real browser, with the running services behind it: photographs and their jobs."""

import asyncio
import io
import json
import re
import zipfile
from urllib.parse import urlsplit

import pytest
from PIL import Image
from playwright.async_api import FileChooser, FilePayload, Page, Route, WebSocketRoute, expect

from tests.browser.interactions import (
    RENDERED_WITHIN,
    background_brightness,
    card_of,
    choose,
    count_coloured_pixels,
    downloaded,
    drop,
    finished,
    photograph,
    size_change,
    tab_to,
)

EVENT_WITHIN = 20  # seconds

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_dropped_photograph_is_shown_in_gray_next_to_its_original(
    page: Page,
) -> None:
    await drop(page, photograph("house.jpg"))
    card = card_of(page, "house.jpg")
    await finished(card)
    original = card.get_by_role("img", name="house.jpg, the original")
    result = card.get_by_role("img", name="house.jpg, the result")
    assert await count_coloured_pixels(original) > 1000
    assert await count_coloured_pixels(result) == 0
    left, right = await original.bounding_box(), await result.bounding_box()
    assert left is not None
    assert right is not None
    assert left["x"] + left["width"] <= right["x"]
    assert left["y"] == right["y"]
    await expect(card).to_contain_text(size_change("96x64", "96x64"))


async def test_each_of_several_photographs_has_a_card_and_a_download(page: Page) -> None:
    names = [f"room {number}.jpg" for number in range(1, 8)]
    await choose(page, [photograph(name) for name in names])
    for name in names:
        await finished(card_of(page, name))
        link = card_of(page, name).get_by_role("link", name="Download")
        stem = name.removesuffix(".jpg")
        await expect(link).to_have_attribute("download", f"{stem}-grayscale-96x64.jpg")
    await expect(page.get_by_text("7 of 7 done")).to_be_visible()
    first = card_of(page, names[0]).get_by_role("link", name="Download")
    name, content = await downloaded(page, first)
    assert name == "room 1-grayscale-96x64.jpg"
    assert Image.open(io.BytesIO(content)).size == (96, 64)


async def test_all_results_download_in_one_archive_with_unique_names(page: Page) -> None:
    await choose(page, [photograph("hall.jpg", "red"), photograph("hall.jpg", "green")])
    await expect(page.get_by_text("2 of 2 done")).to_be_visible(timeout=RENDERED_WITHIN)
    name, content = await downloaded(page, page.get_by_role("button", name="Download all"))
    assert name == "darkroom.zip"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() == ["hall-grayscale-96x64.jpg", "hall-grayscale-96x64-2.jpg"]
        assert archive.testzip() is None
        first, second = map(archive.read, archive.namelist())
        assert first != second


async def test_finished_photographs_can_be_rendered_again_with_other_edits(page: Page) -> None:
    await choose(page, [photograph("house.jpg")])
    await finished(card_of(page, "house.jpg"))
    await page.get_by_role("button", name="Turn left").click()
    await page.get_by_role("button", name="Apply to the finished photograph").click()
    await expect(card_of(page, "house.jpg")).to_contain_text(
        size_change("96x64", "64x96"), timeout=RENDERED_WITHIN
    )


async def test_a_file_that_is_not_an_image_shows_the_reason_and_can_be_retried(page: Page) -> None:
    notes = FilePayload(name="notes.jpg", mimeType="image/jpeg", buffer=b"not a picture")
    await choose(page, [notes])
    card = card_of(page, "notes.jpg")
    await expect(card).to_have_attribute("data-state", "failed", timeout=RENDERED_WITHIN)
    await expect(card.locator("[data-part=problem]")).to_have_text(re.compile(r"\w+ \w+ \w+"))
    explanation = card.get_by_role("link", name="About this error")
    await expect(explanation).to_have_attribute("href", "guide/errors/image_unreadable")
    await expect(page.get_by_text("0 of 1 done, 1 failed")).to_be_visible()
    async with page.expect_request("**/v1/jobs?*"):
        await card.get_by_role("button", name="Try again").click()
    await expect(card).to_have_attribute("data-state", "failed", timeout=RENDERED_WITHIN)


async def test_a_refusal_for_overload_is_retried(page: Page) -> None:
    refusals = iter([True])

    async def refuse_once(route: Route) -> None:
        if not next(refusals, False):
            await route.continue_()
            return
        problem = {"status": 503, "code": "overloaded", "detail": "Every slot is taken."}
        await route.fulfill(
            status=503,
            headers={"Retry-After": "1", "Content-Type": "application/problem+json"},
            body=json.dumps(problem),
        )

    await page.route("**/v1/jobs?*", refuse_once)
    await choose(page, [photograph("house.jpg")])
    card = card_of(page, "house.jpg")
    await expect(card).to_contain_text("Every slot is taken. Trying again in 1 s.")
    await finished(card)


async def test_a_card_follows_the_events_of_the_live_connection(page: Page) -> None:
    messages: asyncio.Queue[str] = asyncio.Queue()
    sockets: list[WebSocketRoute] = []

    def hold_back(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        server = socket.connect_to_server()
        server.on_message(lambda message: messages.put_nowait(str(message)))

    await page.route_web_socket("**/v1/live", hold_back)
    await choose(page, [photograph("house.jpg")])
    card = card_of(page, "house.jpg")
    async with asyncio.timeout(EVENT_WITHIN):
        event = json.loads(await messages.get())
        while event["state"] != "succeeded":
            event = json.loads(await messages.get())
    await expect(card).to_have_attribute("data-state", "queued")
    sockets[0].send(json.dumps({**event, "state": "running", "done": 0}))
    await expect(card).to_have_attribute("data-state", "running")
    sockets[0].send(json.dumps(event))
    await finished(card)


async def test_a_lost_connection_is_restored_without_losing_events(page: Page) -> None:
    connections = 0

    def drop_the_first(socket: WebSocketRoute) -> None:
        nonlocal connections
        connections += 1
        if connections > 1:
            socket.connect_to_server()
            return

        async def close(_: str | bytes) -> None:
            await socket.close()

        socket.on_message(close)

    await page.route_web_socket("**/v1/live", drop_the_first)
    await choose(page, [photograph("house.jpg")])
    lost = page.get_by_text("The live connection is lost; trying again")
    await expect(lost).to_be_visible()
    await finished(card_of(page, "house.jpg"))
    await expect(lost).to_be_hidden()
    assert connections == 2


async def test_photographs_can_be_removed_and_cleared(page: Page) -> None:
    names = ["one.jpg", "two.jpg", "three.jpg"]
    await choose(page, [photograph(name) for name in names])
    for name in names:
        await finished(card_of(page, name))
    await page.get_by_role("button", name="Remove two.jpg").click()
    await expect(card_of(page, "two.jpg")).to_have_count(0)
    await expect(page.get_by_role("button", name="Remove three.jpg")).to_be_focused()
    await page.get_by_role("button", name="Clear finished").click()
    await expect(page.get_by_role("list", name="Your photographs").locator("li")).to_have_count(0)


async def test_removing_a_photograph_cancels_its_job(page: Page) -> None:
    """The WebSocket delivers no events here, so the job stays queued on the page."""
    await page.route_web_socket("**/v1/live", lambda socket: None)
    await choose(page, [photograph("house.jpg")])
    await expect(card_of(page, "house.jpg")).to_have_attribute("data-state", "queued")
    async with page.expect_request(
        lambda request: request.method == "DELETE" and "/v1/jobs/" in request.url
    ):
        await page.get_by_role("button", name="Remove house.jpg").click()
    await expect(card_of(page, "house.jpg")).to_have_count(0)


async def test_the_page_works_with_the_keyboard_alone(page: Page) -> None:
    # Registered first: the browser enables this event with a delay, and a file chooser that opens
    # before is not reported.
    choosers: asyncio.Queue[FileChooser] = asyncio.Queue()
    page.on("filechooser", choosers.put_nowait)
    await tab_to(page, page.get_by_role("button", name="For the web"))
    await page.keyboard.press("Space")
    await expect(page.get_by_role("button", name="For the web")).to_have_attribute(
        "aria-pressed", "true"
    )
    await tab_to(page, page.locator("input[type=file]"))
    await page.keyboard.press("Enter")
    chooser = await asyncio.wait_for(choosers.get(), EVENT_WITHIN)
    await chooser.set_files([photograph("house.jpg")])
    card = card_of(page, "house.jpg")
    await finished(card)

    await tab_to(page, page.get_by_role("radio", name="Side by side"))
    await page.keyboard.press("ArrowRight")
    slider = card.get_by_role("slider", name="Compare original and result of house.jpg")
    await tab_to(page, slider)
    await page.keyboard.press("ArrowRight")
    await expect(slider).to_have_value("51")

    await tab_to(page, card.get_by_role("link", name="Download house-grayscale-resize-96x64.webp"))
    async with page.expect_download():
        await page.keyboard.press("Enter")

    await tab_to(page, card.get_by_role("button", name="View house.jpg large"))
    await page.keyboard.press("Enter")
    large = page.get_by_role("dialog").get_by_role("slider")
    await expect(large).to_be_focused()
    await page.keyboard.press("End")
    await expect(large).to_have_value("100")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)

    await tab_to(page, card.get_by_role("button", name="Remove house.jpg"))
    await page.keyboard.press("Enter")
    await expect(page.locator("input[type=file]")).to_be_focused()


async def test_the_page_sends_no_request_to_another_host(page: Page, gateway_url: str) -> None:
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.on("websocket", lambda socket: hosts.add(urlsplit(socket.url).netloc))
    await page.reload()
    await choose(page, [photograph("house.jpg")])
    await finished(card_of(page, "house.jpg"))
    assert hosts - {""} == {urlsplit(gateway_url).netloc}  # "" is a blob URL of the page


async def test_the_theme_follows_the_system_until_one_is_chosen(page: Page) -> None:
    assert await background_brightness(page) > 0.9
    await page.emulate_media(color_scheme="dark")
    assert await background_brightness(page) < 0.1
    await page.get_by_role("button", name="Dark theme").click()
    assert await background_brightness(page) > 0.9
    await page.reload()
    assert await background_brightness(page) > 0.9


async def test_the_page_fits_the_width_of_a_phone(page: Page) -> None:
    await page.set_viewport_size({"width": 360, "height": 740})
    await page.get_by_text("Edit list and output").click()
    await page.get_by_role("button", name="For the web").click()
    name = f"{'a very long name ' * 8}.jpg"
    await choose(page, [photograph(name)])
    await finished(page.locator(".card"))
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
