"""Actions of a person on the page, and questions about what the page shows."""

import asyncio
import base64
import io
import re
from collections.abc import Sequence

from PIL import Image, ImageDraw
from playwright.async_api import FilePayload, Locator, Page, expect

RENDERED_WITHIN = 20_000  # milliseconds

# Playwright's own five seconds are short on a busy machine.
expect.set_options(timeout=RENDERED_WITHIN)


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
    await page.locator(".drop input").set_input_files(files)


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


async def sign_in(page: Page, key: str) -> None:
    """Fill in the dialog that asks for a key."""
    await page.get_by_label("Key").fill(key)
    await page.get_by_role("button", name="Sign in").click()


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
