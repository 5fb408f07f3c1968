"""The photographs: gradients, soft texture and grain, with about as many bytes as a camera's."""

import io
import random
from dataclasses import dataclass

from PIL import Image, ImageFilter

from bench.environments import DATA

FOLDER = DATA / "imaging" / "photographs"

_START = b"\xff\xd8"  # of a JPEG
_COMMENT = b"\xff\xfe\x00\x0a"  # a comment of eight bytes, after the two bytes of its length
_FINE = 50  # cells of noise a side, from which on the noise is gray
_TILE = 512  # pixels of grain a side, repeated over the image


@dataclass(frozen=True)
class Photograph:
    """A JPEG with the same bytes in every run."""

    name: str
    size: tuple[int, int]  # width and height in pixels
    quality: int = 90  # of the JPEG: more of it makes a larger file of the same pixels

    @property
    def megapixels(self) -> float:
        """Millions of pixels."""
        return self.size[0] * self.size[1] / 1e6

    def read(self) -> bytes:
        """Return the file's bytes; make the file at the first call."""
        path = FOLDER / self.name
        if not path.exists():
            FOLDER.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            part.write_bytes(_photograph(self.size, self.quality))
            part.rename(path)
        return path.read_bytes()


PHOTO = Photograph("photo.jpg", (2725, 2225))
LARGE = Photograph("large.jpg", (4000, 3000))
SMALL = Photograph("small.jpg", (500, 408))
PHOTOGRAPHS = (PHOTO, LARGE, SMALL)


def numbered(photo: bytes, number: int) -> bytes:
    """Return the same image in different bytes: a JPEG comment has the number."""
    return _START + _COMMENT + b"%08d" % number + photo[len(_START) :]


def _photograph(size: tuple[int, int], quality: int) -> bytes:
    dice = random.Random(17)
    across, down = Image.linear_gradient("L").rotate(90), Image.linear_gradient("L")
    sky = Image.merge("RGB", (across, down, Image.radial_gradient("L"))).resize(size)
    # Noise of several scales, as most of a photograph is soft, then grain over all of it.
    for side, weight in ((12, 0.4), (60, 0.25), (300, 0.15)):
        # Coarse noise is coloured; fine detail of photographs is mostly in the luminance.
        bands = 3 if side < _FINE else 1
        clouds = Image.merge("RGB", [_noise(dice, side) for _ in range(bands)] * (3 // bands))
        sky = Image.blend(sky, clouds.resize(size, Image.Resampling.BICUBIC), weight)
    grain = _tiled(_noise(dice, _TILE), size).filter(ImageFilter.GaussianBlur(0.8))
    file = io.BytesIO()
    Image.blend(sky, grain.convert("RGB"), 0.07).save(file, "JPEG", quality=quality)
    return file.getvalue()


def _noise(dice: random.Random, side: int) -> Image.Image:
    return Image.frombytes("L", (side, side), dice.randbytes(side * side))


def _tiled(tile: Image.Image, size: tuple[int, int]) -> Image.Image:
    whole = Image.new("L", size)
    for left in range(0, size[0], tile.width):
        for upper in range(0, size[1], tile.height):
            whole.paste(tile, (left, upper))
    return whole
