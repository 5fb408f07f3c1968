"""JPEG XL: lossless and lossy, alpha, sizes."""

from collections.abc import Iterator
from functools import partial

from bench.exact.pictures.scene import Picture, encoded_scene
from tests.imaging.pictures import RED_IS_BLUE, SRGB

_SIZES = ((1, 1), (8, 9), (65, 1))


def stills() -> Iterator[Picture]:
    """Yield the files."""
    for mode in ("L", "LA", "RGB", "RGBA"):
        yield _sample(mode, lossless=True)
        for quality in (60, 95):
            yield _sample(mode, quality=quality)
    for size in _SIZES:
        yield _sample("RGBA", size, lossless=True)
        yield _sample("RGB", size)
    for name, profile in (("sRGB", SRGB), ("red and blue exchanged", RED_IS_BLUE)):
        yield _sample("RGB", lossless=True, icc_profile=profile, note=f"profile: {name}")


_sample = partial(encoded_scene, "JXL")
