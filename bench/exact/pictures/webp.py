"""WebP: lossy and lossless, alpha, profiles and orientation."""

from collections.abc import Iterator
from functools import partial

from bench.exact.pictures.scene import Picture, encoded_scene
from tests.imaging.pictures import RED_IS_BLUE, SRGB, exif_of

_SIZES = ((1, 1), (2, 3), (15, 16), (17, 1), (33, 34))


def stills() -> Iterator[Picture]:
    """Yield the files."""
    for mode in ("RGB", "RGBA"):
        for quality in (0, 50, 90, 100):
            yield _sample(mode, quality=quality)
        for method in (0, 3, 6):
            yield _sample(mode, lossless=True, method=method)
            yield _sample(mode, method=method)
        for size in _SIZES:
            yield _sample(mode, size)
            yield _sample(mode, size, lossless=True)
        for orientation in range(1, 9):
            yield _sample(
                mode, lossless=True, exif=exif_of(orientation), note=f"orientation {orientation}"
            )
        for name, profile in (("sRGB", SRGB), ("red and blue exchanged", RED_IS_BLUE)):
            yield _sample(mode, lossless=True, icc_profile=profile, note=f"profile: {name}")
    for quality in (0, 50, 100):
        yield _sample("RGBA", alpha_quality=quality)
    yield _sample("RGBA", lossless=True, exact=True)


_sample = partial(encoded_scene, "WEBP")
