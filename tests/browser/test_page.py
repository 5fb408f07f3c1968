"""The page in a real browser, with the running services behind it."""

import asyncio
import base64
import io
import json
import re
import shutil
import zipfile
from collections.abc import AsyncIterator, Sequence
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
from PIL import Image, ImageDraw
from playwright.async_api import (
    Browser,
    FileChooser,
    FilePayload,
    Locator,
    Page,
    Route,
    WebSocketRoute,
    async_playwright,
    expect,
)

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
]
RENDERED_WITHIN = 20_000  # milliseconds
EVENT_WITHIN = 20  # seconds

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium or Chrome is installed here"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
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


def photograph(name: str, hue: str = "orangered", size: tuple[int, int] = (96, 64)) -> FilePayload:
    """Return a JPEG to upload: a house in colour; `size` is in pixels."""
    image = Image.new("RGB", size, "skyblue")
    ImageDraw.Draw(image).rectangle((size[0] // 4, size[1] // 3, size[0] // 2, size[1]), hue)
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=92)
    return {"name": name, "mimeType": "image/jpeg", "buffer": encoded.getvalue()}


def card_of(page: Page, name: str) -> Locator:
    """Return the card of the file `name`."""
    return page.get_by_role("listitem", name=name, exact=True)


async def choose(page: Page, files: Sequence[FilePayload]) -> None:
    """Choose files in the page's file input."""
    await page.locator("input[type=file]").set_input_files(files)


async def drop(page: Page, file: FilePayload) -> None:
    """Drop a file on the page, as a file manager does."""
    transfer = await page.evaluate_handle(
        """async ([name, type, text]) => {
            const transfer = new DataTransfer();
            const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
            transfer.items.add(new File([bytes], name, { type }));
            return transfer;
        }""",
        [file["name"], file["mimeType"], base64.b64encode(file["buffer"]).decode()],
    )
    await page.dispatch_event(".drop", "drop", {"dataTransfer": transfer})


async def finished(card: Locator) -> None:
    """Wait until a card's image is rendered."""
    await expect(card).to_have_attribute("data-state", "done", timeout=RENDERED_WITHIN)


async def downloaded(page: Page, link: Locator) -> tuple[str, bytes]:
    """Click a link; return the name and the bytes of its download."""
    async with page.expect_download() as waiting:
        await link.click()
    download = await waiting.value
    path = await download.path()
    return download.suggested_filename, await asyncio.to_thread(path.read_bytes)


async def count_coloured_pixels(image: Locator) -> int:
    """Return how many pixels of an image on the page are not gray."""
    await image.scroll_into_view_if_needed()
    counted: int = await image.evaluate(
        """async (image) => {
            await image.decode();
            const { naturalWidth: width, naturalHeight: height } = image;
            const context = new OffscreenCanvas(width, height).getContext("2d");
            context.drawImage(image, 0, 0);
            const { data } = context.getImageData(0, 0, width, height);
            let coloured = 0;
            for (let at = 0; at < data.length; at += 4) {
                const [red, green, blue] = data.subarray(at, at + 3);
                if (Math.max(red, green, blue) - Math.min(red, green, blue) > 8) coloured += 1;
            }
            return coloured;
        }"""
    )
    return counted


async def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until `target` has the focus. Raises AssertionError after 60 times."""
    for _ in range(60):
        await page.keyboard.press("Tab")
        if await target.evaluate("(element) => element === document.activeElement"):
            return
    raise AssertionError(f"Tab does not reach {target}")


def size_change(before: str, after: str) -> str:
    """Return two sizes, such as `96x64` and `48x72`, as a card shows their change."""
    return f"{before} \N{RIGHTWARDS ARROW} {after}".replace("x", " \N{MULTIPLICATION SIGN} ")


async def background_brightness(page: Page) -> float:
    """Return the brightness of the page's background, from 0 to 1."""
    colour: str = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    red, green, blue = map(int, re.findall(r"\d+", colour)[:3])
    return (0.299 * red + 0.587 * green + 0.114 * blue) / 255


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
        await expect(link).to_have_attribute("download", f"{stem}-bw-96x64.jpg")
    await expect(page.get_by_text("7 of 7 done")).to_be_visible()
    first = card_of(page, names[0]).get_by_role("link", name="Download")
    name, content = await downloaded(page, first)
    assert name == "room 1-bw-96x64.jpg"
    assert Image.open(io.BytesIO(content)).size == (96, 64)


async def test_all_results_download_in_one_archive_with_unique_names(page: Page) -> None:
    await choose(page, [photograph("hall.jpg", "red"), photograph("hall.jpg", "green")])
    await expect(page.get_by_text("2 of 2 done")).to_be_visible(timeout=RENDERED_WITHIN)
    name, content = await downloaded(page, page.get_by_role("button", name="Download all"))
    assert name == "darkroom.zip"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() == ["hall-bw-96x64.jpg", "hall-bw-96x64-2.jpg"]
        assert archive.testzip() is None
        first, second = map(archive.read, archive.namelist())
        assert first != second


async def test_presets_and_steps_make_one_pipeline_in_their_order(page: Page) -> None:
    await page.get_by_role("button", name="For the web").click()
    await page.get_by_role("button", name="Turn right").click()
    await page.get_by_role("button", name="Add step: Sharpen").click()
    await page.get_by_role("spinbutton", name="Strength").fill("1.5")
    await page.get_by_role("spinbutton", name="Width").fill("48")
    await page.get_by_role("button", name="Move Turn up").click()
    await page.get_by_role("button", name="Remove step Black and white").click()
    async with page.expect_request("**/v1/jobs?*") as waiting:
        await choose(page, [photograph("house.jpg")])
    query = parse_qs(urlsplit((await waiting.value).url).query)
    assert query == {
        "op": ["rotate:degrees=90", "resize:width=48,height=1600,fit=inside", "sharpen:amount=1.5"],
        "format": ["webp"],
        "quality": ["80"],
    }
    await finished(card_of(page, "house.jpg"))
    await expect(card_of(page, "house.jpg")).to_contain_text(size_change("96x64", "48x72"))


async def test_an_invalid_step_is_reported_and_no_photograph_is_submitted(page: Page) -> None:
    await page.get_by_role("button", name="Add step: Blur").click()
    await page.get_by_role("spinbutton", name="Radius").fill("500")
    await choose(page, [photograph("house.jpg")])
    await expect(page.get_by_text("One of the steps is not right yet")).to_be_visible()
    await expect(page.get_by_role("spinbutton", name="Radius")).to_be_focused()
    await expect(card_of(page, "house.jpg")).to_have_count(0)


async def test_finished_photographs_can_be_rendered_again_with_other_steps(page: Page) -> None:
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

    await tab_to(page, card.get_by_role("link", name="Download house-bw-96x64.webp"))
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
    await page.get_by_text("Steps and output").click()
    await page.get_by_role("button", name="For the web").click()
    name = f"{'a very long name ' * 8}.jpg"
    await choose(page, [photograph(name)])
    await finished(page.locator(".card"))
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
