"""Write docs/pictures/operations: `make gallery`.

The engine renders a picture of each operation from its demonstration in the contract. The sample
images are drawn here.
"""

import hashlib
import io
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from PIL import Image, ImageDraw

from contracts.operations.base import Sample
from contracts.operations.notation import parse_pipeline
from contracts.operations.pipeline import OPERATIONS
from docs.generate.pictures.painting import developed
from docs.generate.pictures.scenes import house
from services.imaging.engine import pipeline

PICTURES = Path(__file__).parents[2] / "pictures" / "operations"
SOURCES = PICTURES / "sources"

LARGE, SMALL = (720, 480), (240, 160)
SHOWN = (Sample.PHOTOGRAPH, Sample.HAZE, Sample.SCAN, "logo")


def photograph() -> Image.Image:
    """Draw the photograph: the house on a hill of the page's picture."""
    taken = developed(house(), seed=19)
    return taken.resize(LARGE, Image.Resampling.LANCZOS)


def haze(picture: Image.Image) -> Image.Image:
    """Return the photograph with little contrast, as on a dull day."""
    return Image.blend(picture, Image.new("RGB", picture.size, (168, 172, 178)), 0.65)


def scan(picture: Image.Image) -> Image.Image:
    """Return the photograph as a print on a scanner's glass, which is not evenly white."""
    glass = Image.new("RGB", SMALL, (246, 245, 242))
    ImageDraw.Draw(glass).rectangle((0, 110, SMALL[0], SMALL[1]), (242, 242, 240))
    glass.paste(picture.resize((150, 100), Image.Resampling.LANCZOS), (22, 36))
    return glass


def logo() -> Image.Image:
    """Draw the logo: a white house in a ring, on a transparent background."""
    drawn = Image.new("RGBA", (480, 480))
    draw = ImageDraw.Draw(drawn)
    draw.ellipse((8, 8, 472, 472), (20, 18, 40, 200), (255, 255, 255), 26)
    draw.polygon([(240, 92), (398, 240), (82, 240)], (255, 255, 255))
    draw.rectangle((130, 240, 350, 366), (255, 255, 255))
    draw.rectangle((210, 276, 270, 366), (20, 18, 40))
    return drawn.resize((120, 120), Image.Resampling.LANCZOS)


def sources() -> dict[str, bytes]:
    """Return the sample images and the logo as PNG, by name."""
    large = photograph()
    small = large.resize(SMALL, Image.Resampling.LANCZOS)
    drawn: dict[str, Image.Image] = {
        Sample.PHOTOGRAPH: small,
        Sample.ENLARGEMENT: large,
        Sample.HAZE: haze(small),
        Sample.SCAN: scan(large),
        "logo": logo(),
    }
    return {name: _png(image) for name, image in drawn.items()}


def gallery(originals: Mapping[str, bytes]) -> dict[str, bytes]:
    """Render the demonstration of each operation; return the pictures as WebP, by operation."""
    key = hashlib.sha256(originals["logo"]).hexdigest()
    render = partial(pipeline.run, images={key: originals["logo"]})
    pictures = {}
    for name, operation in OPERATIONS.items():
        shown = operation.demonstration
        given = [text.replace("LOGO", key) for text in shown.operations]
        wanted = parse_pipeline(given, format="webp", quality="80")
        pictures[name] = render(originals[shown.sample], wanted).data
    return pictures


def _png(image: Image.Image) -> bytes:
    written = io.BytesIO()
    image.save(written, "PNG")
    return written.getvalue()


def _write(folder: Path, pictures: Mapping[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.webp"):
        if old.stem not in pictures:
            old.unlink()
    for name, data in pictures.items():
        (folder / f"{name}.webp").write_bytes(data)


def main() -> None:
    """Draw the sources, render the gallery, and write both."""
    originals = sources()
    _write(PICTURES, gallery(originals))
    as_is = parse_pipeline([], format="webp", quality="80")
    shown: dict[str, bytes] = {name: pipeline.run(originals[name], as_is).data for name in SHOWN}
    _write(SOURCES, shown)


if __name__ == "__main__":
    main()
