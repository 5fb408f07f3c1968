"""AVIF: subsampling, alpha, sizes, ranges and turns."""

from collections.abc import Iterator
from typing import Any

from bench.exact.pictures.scene import SIZE, Picture, scene
from tests.imaging.pictures import RED_IS_BLUE, SRGB, encoded, exif_of

_SIZES = ((1, 1), (3, 2), (16, 17), (65, 1))


def stills() -> Iterator[Picture]:
    """Yield the files."""
    for subsampling in ("4:2:0", "4:2:2", "4:4:4"):
        for mode in ("RGB", "RGBA"):
            for levels in ("full", "limited"):
                yield _sample(mode, subsampling=subsampling, range=levels)
            for quality in (30, 100):
                yield _sample(mode, subsampling=subsampling, quality=quality)
        for size in _SIZES:
            yield _sample("RGB", size, subsampling=subsampling)
    for mode in ("L", "LA"):
        for subsampling in ("4:0:0", "4:4:4"):
            yield _sample(mode, subsampling=subsampling)
    for subsampling in ("4:2:0", "4:4:4"):
        for orientation in range(1, 9):
            exif, note = exif_of(orientation), f"orientation {orientation}"
            yield _sample("RGB", subsampling=subsampling, exif=exif, note=note)
    for name, profile in (("sRGB", SRGB), ("red and blue exchanged", RED_IS_BLUE)):
        note = f"profile: {name}"
        yield _sample("RGB", subsampling="4:4:4", icc_profile=profile, note=note)


def _sample(
    mode: str,
    size: tuple[int, int] = SIZE,
    *,
    note: str = "",
    **options: Any,
) -> Picture:
    data = encoded(scene(mode, size), "AVIF", **{"quality": 85, "speed": 10, **options})
    shown = [f"{name} {value}" for name, value in options.items() if isinstance(value, int | str)]
    if size != SIZE:
        shown.append(f"{size[0]} x {size[1]}")
    words = ["avif", mode, *shown, *[note] * bool(note)]
    return " ".join(words), data
