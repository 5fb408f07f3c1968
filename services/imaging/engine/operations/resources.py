"""What a pipeline may need besides its picture: other images, and fonts."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from PIL import Image

from services.imaging.engine.operations.fonts import BUNDLED_FONTS, Fonts


@dataclass(frozen=True)
class Resources:
    """`images` are those that `Pipeline.images` names, decoded, upright and in sRGB."""

    images: Mapping[str, Image.Image] = field(default_factory=dict)
    fonts: Fonts = BUNDLED_FONTS


NOTHING = Resources()
