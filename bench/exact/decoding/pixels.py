"""Pixels as 8-bit RGBA in sRGB, how Darkroom sees a file, and how two decoders' pixels differ."""

import io
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageStat

from contracts.operations.pipeline import Pipeline
from services.imaging.engine import pipeline

_AS_IT_IS = Pipeline.model_validate({"output": {"format": "png"}})


@dataclass(frozen=True)
class Tolerance:
    """Largest accepted difference of two decoders, in levels of 255."""

    most: int  # at any pixel
    mean: float  # over all pixels and bands

    def difference(self, ours: Image.Image, theirs: Image.Image) -> str | None:
        """Describe how two RGBA images differ beyond this; None if they don't."""
        if ours.size != theirs.size:
            return "{} x {} pixels, and not {} x {}".format(*ours.size, *theirs.size)
        # Colours of transparent pixels are not compared.
        difference = ImageChops.difference(_without_hidden(ours), _without_hidden(theirs))
        statistics = ImageStat.Stat(difference)
        most = max(high for _, high in statistics.extrema)
        mean = sum(statistics.mean) / 4
        if most <= self.most and mean <= self.mean:
            return None
        return f"up to {most} levels apart, {mean:.2f} on average"


EXACT = Tolerance(most=1, mean=1)  # 16 bits become 8 by rounding, or by cutting off


def seen_by_darkroom(data: bytes) -> Image.Image:
    """Return the first picture of a file as Darkroom serves it: PNG, full size, sRGB.

    Raises the errors of `pipeline.run`.
    """
    rendition = pipeline.run(data, _AS_IT_IS)
    return Image.open(io.BytesIO(rendition.data)).convert("RGBA")


def premultiplied(image: Image.Image) -> Image.Image:
    """Multiply the colours of an RGBA image by its alpha."""
    return Image.frombytes("RGBA", image.size, image.convert("RGBa").tobytes())


def _without_hidden(image: Image.Image) -> Image.Image:
    shown = image.getchannel("A").point([0, *[255] * 255])
    return Image.composite(image, Image.new("RGBA", image.size), shown)
