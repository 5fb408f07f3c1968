"""The work of a job: make a small JPEG smaller and gray, by the same function in every system."""

import io

from PIL import Image

from contracts.operations.looks import Grayscale
from contracts.operations.pipeline import Pipeline
from contracts.operations.shapes import Resize
from services.imaging.engine import pipeline

PIPELINE = Pipeline(operations=(Resize(width=96), Grayscale()))

_START = b"\xff\xd8"  # of a JPEG
_COMMENT = b"\xff\xfe\x00\x0a"  # a comment of eight bytes, after the two bytes of its length


def photograph() -> bytes:
    """Return a JPEG of 320 x 240 pixels, about 10 kB."""
    shape = (320, 240)
    across, noise = Image.linear_gradient("L").rotate(90), Image.effect_noise(shape, 20)
    channels = (across, Image.linear_gradient("L"), Image.radial_gradient("L"))
    sky = Image.merge("RGB", channels).resize(shape)
    file = io.BytesIO()
    Image.blend(sky, noise.convert("RGB"), 0.2).save(file, "JPEG", quality=80)
    return file.getvalue()


def numbered(photo: bytes, number: int) -> bytes:
    """Return the same image in different bytes: Darkroom reuses the result of the same bytes."""
    return _START + _COMMENT + b"%08d" % number + photo[len(_START) :]


def render(data: bytes) -> bytes:
    """Decode, resize, turn gray and encode: about a millisecond."""
    return pipeline.run(data, PIPELINE).data
