"""JPEG XL: lossless and lossy, alpha, sizes."""

from collections.abc import Iterator
from typing import Any

from bench.exact.pictures.scene import SIZE, Picture, scene
from tests.imaging.pictures import RED_IS_BLUE, SRGB, encoded

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


def _sample(
    mode: str,
    size: tuple[int, int] = SIZE,
    *,
    note: str = "",
    lossless: bool = False,
    **options: Any,
) -> Picture:
    data = encoded(scene(mode, size), "JXL", lossless=lossless, **options)
    shown = [f"{name} {value}" for name, value in options.items() if isinstance(value, int)]
    if size != SIZE:
        shown.append(f"{size[0]} x {size[1]}")
    words = ["jxl", mode, "lossless" if lossless else "lossy", *shown, *[note] * bool(note)]
    return " ".join(words), data
