"""Every operation on every kind of image gives the pixels it gave before.

A result is summarised by its mode, its size, mean colours on a grid, and roughness on a coarser
grid: enough to notice that an upgrade changes pixels. `make golden` writes the file again, and a
test asks for an entry in the changelog that says why (`tests/docs/test_golden_changelog.py`).
"""

import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageFilter

from contracts.formats import Format
from contracts.operations.choices import Filter, Fit
from contracts.operations.pipeline import Pipeline
from services.imaging.engine import pipeline
from services.imaging.engine.formats import plugins
from services.imaging.engine.raster.alpha import premultiply
from tests.imaging.engine.operations.examples import written_examples
from tests.imaging.pictures import encoded, scenery

GOLDEN = Path(__file__).parent / "golden" / "operations.json"

MODES = ("L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "1")
GRID = 8
ROUGH_GRID = 4
TOLERANCE = 3  # of 255: what another resampler or rounding may do

# The contracts' examples of a resize are larger than the source, so they resample nothing.
RESAMPLED: list[dict[str, Any]] = [
    *({"op": "resize", "width": 100, "filter": filter.value} for filter in Filter),
    *({"op": "resize", "width": 100, "height": 100, "fit": fit.value} for fit in Fit),
    {"op": "resize", "width": 500, "enlarge": True},
    {"op": "watermark", "image": "0" * 64, "scale": 0.3, "position": "tile"},
]

Seen = dict[str, str]


def source(mode: str) -> bytes:
    """An image file in this mode."""
    picture = scenery(320, 240)
    match mode:
        case "LA" | "RGBA":
            image, holes = picture.convert(mode), rings(picture.size)
            alpha = Image.linear_gradient("L").rotate(90).resize(image.size)
            # Transparent pixels are white: if they spread their colour, edges get lighter.
            image.paste("white", mask=holes)
            alpha.paste(0, mask=holes)
            image.putalpha(alpha)
        case "P":
            image = picture.quantize(64)
        case "I;16":
            deep = picture.convert("L").convert("I").point(lambda value: value * 257)
            image = deep.convert("I;16")
        case _:
            image = picture.convert(mode)
    return encoded(image, "TIFF" if mode == "CMYK" else "PNG")


def rings(size: tuple[int, int]) -> Image.Image:
    """A mask of concentric rings: many edges."""
    tones = [255 * (tone % 16 < 4) for tone in range(256)]
    return Image.radial_gradient("L").resize(size).point(tones)


def operations() -> dict[str, Pipeline]:
    """Pipelines by name: each example of the contracts, RESAMPLED, and no operation."""
    found = {"nothing": Pipeline()}
    for example in (*written_examples(), *RESAMPLED):
        fields = (f"{name}={value}" for name, value in example.items() if name != "op")
        name = " ".join([example["op"], *fields])
        found[name] = Pipeline.model_validate({"operations": [example]})
    return found


def rendered(mode: str, wanted: Pipeline) -> Image.Image:
    png = wanted.output.model_copy(update={"format": "png"})
    picture = pipeline.run(
        source_once(mode),
        wanted.model_copy(update={"output": png}),
        images=dict.fromkeys(wanted.images, source_once("RGBA")),
    )
    image = Image.open(io.BytesIO(picture.data))
    image.load()
    return image


source_once = cache(source)


def seen(image: Image.Image) -> Seen:
    """Summarise an image in a few hundred numbers, each pixel weighted by its alpha."""
    weighed = premultiply(image)
    ground = Image.new("RGBA", image.size, "gray")
    luma = Image.alpha_composite(ground, image.convert("RGBA")).convert("L")
    rough = ImageChops.difference(luma, luma.filter(ImageFilter.BoxBlur(1)))
    # Roughness uses few of the 256 levels: amplify it.
    rough = rough.point(lambda tone: min(255, tone * 4))
    return {
        "mode": image.mode,
        "size": f"{image.width} x {image.height}",
        "colours": _rows(weighed, GRID),
        "rough": _rows(rough, ROUGH_GRID),
    }


def _rows(image: Image.Image, side: int) -> str:
    small = image.resize((side, side), Image.Resampling.BOX)
    data = small.tobytes()
    width = len(data) // side
    return " ".join(data[start : start + width].hex() for start in range(0, len(data), width))


def differences(now: Seen, golden: Seen) -> Iterator[str]:
    """Describe each difference above the tolerance."""
    for field in ("mode", "size"):
        if now[field] != golden[field]:
            yield f"{field} was {golden[field]} and is {now[field]}"
            return
    for field in ("colours", "rough"):
        rows = zip(now[field].split(), golden[field].split(), strict=True)
        for row, (one, other) in enumerate(rows):
            pairs = zip(bytes.fromhex(one), bytes.fromhex(other), strict=True)
            off = max(abs(a - b) for a, b in pairs)
            if off > TOLERANCE:
                yield f"{field}, row {row}, differs by {off}: was {other}, is {one}"


@cache
def golden() -> dict[str, dict[str, Seen]]:
    return dict(json.loads(GOLDEN.read_text())) if GOLDEN.exists() else {}


@pytest.mark.parametrize("name", operations())
def test_an_operation_gives_the_golden_result_on_every_mode(name: str) -> None:
    if name not in golden():
        pytest.fail(f"{name!r} is new: look at its result, and run make golden")
    found = [
        f"{mode}: {difference}"
        for mode in MODES
        for difference in differences(
            seen(rendered(mode, operations()[name])), golden()[name][mode]
        )
    ]

    assert not found, f"{name!r} gives other pixels; if that is intended, run make golden"


def test_every_golden_result_has_its_operation() -> None:
    assert set(golden()) == set(operations()), "run make golden"


@pytest.mark.parametrize("change", [lambda v: 255 - v, lambda v: min(255, v + 12)])
def test_changed_tones_are_noticed(change: Any) -> None:
    image = scenery(320, 240)

    assert list(differences(seen(image.point(change)), seen(image)))


def test_blurred_edges_are_noticed() -> None:
    image = scenery(320, 240)
    softer = image.filter(ImageFilter.GaussianBlur(0.6))

    assert list(differences(seen(softer), seen(image)))


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_pixels_count_by_their_alpha(mode: str) -> None:
    image, nothing = scenery(64, 64).convert(mode), Image.new(mode, (64, 64))
    hardly, somewhat = image.copy(), nothing.copy()
    hardly.putalpha(2)
    somewhat.putalpha(12)

    assert not list(differences(seen(hardly), seen(nothing)))
    assert list(differences(seen(somewhat), seen(nothing)))


DIGESTS = "from tests.imaging.engine import test_golden; test_golden.print_digests()"
EVERY_FAMILY = [
    {"op": "resize", "width": 120, "height": 90, "gravity": "smart"},
    {"op": "rotate", "degrees": 7},
    {"op": "autocontrast", "cutoff": 1},
    {"op": "sepia", "amount": 0.5},
    {"op": "sharpen"},
    {"op": "round", "radius": "10%"},
    {"op": "text", "text": "12 Rose Lane", "stroke": 1},
    {"op": "watermark", "image": "0" * 64, "scale": 0.3},
]


def print_digests() -> None:
    """Print the digest of a still and of an animation in each format, as JSON."""
    still = scenery(320, 240)
    moving = encoded(still, "GIF", save_all=True, append_images=[still.rotate(90)])
    digests = {}
    for format in plugins.INSTALLED:
        wanted = Pipeline.model_validate({"operations": EVERY_FAMILY, "output": {"format": format}})
        for data in (encoded(still, "JPEG"), *([moving] if format.spec.animated else [])):
            picture = pipeline.run(data, wanted, images={"0" * 64: source("RGBA")})
            digest = hashlib.sha256(picture.data).hexdigest()
            digests[f"{format} of {data[:3]!r}"] = digest
    sys.stdout.write(json.dumps(digests) + "\n")


def test_two_processes_give_the_same_bytes_in_every_format() -> None:
    one, other = (
        json.loads(
            subprocess.run(
                [sys.executable, "-c", DIGESTS],
                cwd=Path(__file__).parents[3],
                env={**os.environ, "PYTHONHASHSEED": seed},
                check=True,
                capture_output=True,
                timeout=50,
            ).stdout
        )
        for seed in ("1", "2")
    )

    assert len(one) == len(plugins.INSTALLED) + sum(format.spec.animated for format in Format)
    assert one == other


def mark_of(golden: bytes) -> str:
    """Return the eight digits by which an entry of the changelog names these golden results."""
    return hashlib.sha256(golden).hexdigest()[:8]


def main() -> None:
    """Write the golden file again, and say what the changelog has to name."""
    made = {
        name: {mode: seen(rendered(mode, wanted)) for mode in MODES}
        for name, wanted in operations().items()
    }
    GOLDEN.parent.mkdir(exist_ok=True)
    before = GOLDEN.read_bytes() if GOLDEN.exists() else b""
    GOLDEN.write_text(json.dumps(made, indent=1) + "\n")
    if before != GOLDEN.read_bytes():
        mark = mark_of(GOLDEN.read_bytes())
        sys.stdout.write(
            "The golden results have changed. Add to CHANGELOG.md what changed and why it is "
            f"better, with: (golden results `{mark}`)\n"
        )


if __name__ == "__main__":
    main()
