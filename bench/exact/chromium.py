"""A page in headless Chromium, whose scripts decode images."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, sync_playwright

from bench.exact.needs import CHROMIUM

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
"""Arguments of a browser that runs anywhere, and asks nothing of the network by itself."""

# Colours become sRGB, whatever the machine's screen has.
_ARGUMENTS = [*QUIET, "--force-color-profile=srgb"]
# ImageDecoder is for secure pages alone. No request leaves the machine: the page is made here.
_URL = "https://judge.test/"


@contextmanager
def chromium_page() -> Iterator[Page]:
    """Open an empty page, secure and without a network."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM.path, args=_ARGUMENTS)
        try:
            page = browser.new_page()
            page.route(_URL, lambda route: route.fulfill(body="", content_type="text/html"))
            page.goto(_URL)
            yield page
        finally:
            browser.close()
