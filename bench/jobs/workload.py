"""The work: a small JPEG made smaller and gray, by the very same function in every system."""

import io

from PIL import Image

from contracts.operations.looks import Grayscale
from contracts.operations.pipeline import Pipeline
from contracts.operations.shapes import Resize
from services.imaging.engine import pipeline

PIPELINE = Pipeline(operations=(Resize(width=96), Grayscale()))

_START = b"\xff\xd8"  # of a JPEG
_COMMENT = b"\xff\xfe\x00\x0a"  # of eight bytes, with the two of its length


def photograph() -> bytes:
    """320 x 240 pixels, some 10 kB."""
    shape = (320, 240)
    across, noise = Image.linear_gradient("L").rotate(90), Image.effect_noise(shape, 20)
    channels = (across, Image.linear_gradient("L"), Image.radial_gradient("L"))
    sky = Image.merge("RGB", channels).resize(shape)
    file = io.BytesIO()
    Image.blend(sky, noise.convert("RGB"), 0.2).save(file, "JPEG", quality=80)
    return file.getvalue()


def numbered(photo: bytes, number: int) -> bytes:
    """The same picture in other bytes, as Darkroom does not make again what it has made."""
    return _START + _COMMENT + b"%08d" % number + photo[len(_START) :]


def render(data: bytes) -> bytes:
    """About a millisecond of decoding, resizing, gray and encoding."""
    return pipeline.run(data, PIPELINE).data
