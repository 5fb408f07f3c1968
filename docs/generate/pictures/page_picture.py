"""Write docs/pictures/page.png: a screenshot of the page with four synthetic photographs.

While `make run` runs: `.venv/bin/python -m docs.generate.pictures.page_picture http://127.0.0.1:8000/`
"""

import io
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import FilePayload, expect, sync_playwright

from docs.generate.pictures.painting import developed
from docs.generate.pictures.scenes import balloons, house, lake, pines

PICTURE = Path(__file__).parents[2] / "pictures" / "page.png"
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-quic"),
]


def photograph(name: str, scene: Callable[[], Image.Image]) -> FilePayload:
    """Return a painted scene as a JPEG to upload."""
    encoded = io.BytesIO()
    developed(scene(), seed=len(name)).save(encoded, "JPEG", quality=92)
    return {"name": name, "mimeType": "image/jpeg", "buffer": encoded.getvalue()}


def main(address: str) -> None:
    """Upload the photographs to the page at `address`, and save a screenshot of the results."""
    photographs = [
        photograph("12 Orchard Lane.jpg", house),
        photograph("Balloons.jpg", balloons),
        photograph("The lake at six.jpg", lake),
        photograph("Fog in the pines.jpg", pines),
    ]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=ARGUMENTS
        )
        page = chromium.new_page(viewport={"width": 1360, "height": 1040}, color_scheme="light")
        page.goto(address)
        page.locator("input[type=file]").set_input_files(photographs)
        finished = page.get_by_text(f"{len(photographs)} of {len(photographs)} done")
        expect(finished).to_be_visible(timeout=60_000)
        page.evaluate(
            "Promise.all([...document.images].map((image) => image.src && image.decode()))"
        )
        taken = Image.open(io.BytesIO(page.screenshot(animations="disabled")))
        chromium.close()
    taken.convert("RGB").save(PICTURE, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
