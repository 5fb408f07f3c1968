"""Chromium as the judge of stills: `<img>`, drawn on a canvas."""

import base64
from collections.abc import Iterable, Iterator

from PIL import Image

from bench.exact.chromium import chromium_page
from bench.exact.decoding.pixels import Tolerance
from bench.exact.decoding.verdicts import Seen, cases
from bench.exact.judges import Case, Judge
from bench.exact.needs import CHROMIUM
from bench.exact.pictures.every import stills_of
from bench.exact.pictures.scene import Picture
from contracts.formats import Format

_FORMATS = (Format.JPEG, Format.PNG, Format.GIF, Format.WEBP, Format.AVIF, Format.JXL)
_TOLERANCES = {
    Format.JPEG: Tolerance(most=4, mean=0.5),
    Format.WEBP: Tolerance(most=4, mean=0.5),
    Format.AVIF: Tolerance(most=4, mean=0.5),
    Format.JXL: Tolerance(most=4, mean=0.5),
}

_DECODE = """async data => {
  const url = URL.createObjectURL(new Blob([Uint8Array.fromBase64(data)]));
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
    const context = canvas.getContext("2d", { colorSpace: "srgb", willReadFrequently: true });
    context.drawImage(image, 0, 0);
    const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
    return [canvas.width, canvas.height, new Uint8Array(pixels.buffer).toBase64()];
  } catch (error) {
    return error.message;
  } finally {
    URL.revokeObjectURL(url);
  }
}"""


def seen_by_chromium(pictures: Iterable[Picture]) -> Iterator[Seen]:
    """Yield the pixels of each file, upright and in sRGB. A canvas weighs colours by alpha."""
    with chromium_page() as page:
        for _, data in pictures:
            answer = page.evaluate(_DECODE, base64.b64encode(data).decode())
            if isinstance(answer, str):
                yield answer
            else:
                width, height, pixels = answer
                yield Image.frombytes("RGBA", (width, height), base64.b64decode(pixels))


def _cases(*, quick: bool = False) -> Iterator[Case]:
    pictures = stills_of(*_FORMATS, quick=quick)
    return cases(pictures, seen_by_chromium(pictures), _TOLERANCES, by_alpha=True)


JUDGES = (
    Judge(
        "Chromium",
        "the pixels of stills, drawn by Chromium on a canvas",
        run=_cases,
        quick=lambda: _cases(quick=True),
        needs=(CHROMIUM,),
    ),
)
