"""HEIF: subsampling, alpha, depths and turns."""

from collections.abc import Iterator
from typing import Any

from PIL import Image

from bench.exact.pictures.scene import SIZE, Picture, scene
from tests.imaging.pictures import RED_IS_BLUE, SRGB, encoded, exif_of

_SIZES = ((16, 17), (64, 64), (65, 33))


def stills() -> Iterator[Picture]:
    """Yield the files."""
    for mode in ("RGB", "RGBA"):
        for chroma in (420, 422, 444):
            yield _sample(mode, chroma=chroma)
        for quality in (30, 100):
            yield _sample(mode, quality=quality)
        for size in _SIZES:
            yield _sample(mode, size)
    for mode in ("L", "LA"):
        yield _sample(mode)
    for orientation in range(1, 9):
        yield _sample("RGB", exif=exif_of(orientation), note=f"orientation {orientation}")
    for name, profile in (("sRGB", SRGB), ("red and blue exchanged", RED_IS_BLUE)):
        yield _sample("RGB", icc_profile=profile, note=f"profile: {name}")
    deep = scene("L").convert("I").point(lambda level: level * 257).convert("I;16")
    yield _sample("L", image=deep, note="deep")


def _sample(
    mode: str,
    size: tuple[int, int] = SIZE,
    *,
    image: Image.Image | None = None,
    note: str = "",
    **options: Any,
) -> Picture:
    data = encoded(image or scene(mode, size), "HEIF", **{"quality": 85, **options})
    shown = [f"{name} {value}" for name, value in options.items() if isinstance(value, int)]
    if size != SIZE:
        shown.append(f"{size[0]} x {size[1]}")
    words = ["heif", mode, *shown, *[note] * bool(note)]
    return " ".join(words), data
