"""Chromium as the judge of stills: `<img>`, drawn on a canvas."""

import base64
from collections.abc import Iterable, Iterator

from PIL import Image

from bench.exact.chromium import chromium_page
from bench.exact.decoding.pixels import Tolerance
from bench.exact.decoding.verdicts import Seen, cases
from bench.exact.judges import Case, Judge
from bench.exact.needs import CHROMIUM, SHARP
from bench.exact.pictures import deep_avif
from bench.exact.pictures.every import few_stills, stills, stills_of
from bench.exact.pictures.packaged import PACKAGED
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


def _cases(pictures: Iterable[Picture]) -> Iterator[Case]:
    known = stills_of(pictures, *_FORMATS)
    return cases(known, seen_by_chromium(known), _TOLERANCES, by_alpha=True)


JUDGES = (
    Judge(
        "Chromium",
        "the pixels of stills, drawn by Chromium on a canvas",
        run=lambda: _cases([*stills(), *deep_avif.stills()]),
        quick=lambda: _cases(few_stills()),
        # The files with more than 8 bits are made by sharp.
        needs=(CHROMIUM, SHARP),
    ),
    Judge(
        "Chromium: packages",
        "the test pictures of Pillow and pillow-heif, drawn by Chromium",
        run=lambda: _cases(PACKAGED.stills()),
        needs=(CHROMIUM, PACKAGED),
    ),
)
