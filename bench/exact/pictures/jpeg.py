"""JPEG: subsampling, scans, restart intervals, colours and orientation."""

from collections.abc import Iterator
from typing import Any

from bench.exact.pictures.scene import Picture, scene
from tests.imaging.pictures import RED_IS_BLUE, SRGB, encoded, exif_of

_SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")
_SIZES = ((1, 1), (1, 9), (9, 1), (7, 8), (8, 8), (9, 17), (16, 16), (17, 33), (64, 1))


def stills() -> Iterator[Picture]:
    """Yield the files."""
    for subsampling in _SUBSAMPLINGS:
        for progressive in (False, True):
            for quality in (30, 75, 95, 100):
                yield _sample(
                    f"{subsampling} quality {quality}{' progressive' * progressive}",
                    subsampling=subsampling,
                    progressive=progressive,
                    quality=quality,
                )
        for blocks in (1, 3, 8):
            name = f"{subsampling} restart after {blocks} blocks"
            yield _sample(name, subsampling=subsampling, restart_marker_blocks=blocks)
        for size in _SIZES:
            name = f"{subsampling} {size[0]} x {size[1]}"
            yield _sample(name, size=size, subsampling=subsampling)
        for orientation in range(1, 9):
            yield _sample(
                f"{subsampling} orientation {orientation}",
                subsampling=subsampling,
                exif=exif_of(orientation),
            )
    for rows in (1, 2):
        yield _sample(f"restart after {rows} rows", restart_marker_rows=rows)
    for mode in ("L", "CMYK"):
        for progressive in (False, True):
            name = f"{mode}{' progressive' * progressive}"
            yield _sample(name, mode, progressive=progressive)
            yield _sample(f"{name} optimised", mode, progressive=progressive, optimize=True)
        yield _sample(f"{mode} orientation 6", mode, exif=exif_of(6))
    yield _sample("components kept as RGB", keep_rgb=True)
    yield _sample("profile sRGB", icc_profile=SRGB)
    yield _sample("profile with red and blue exchanged", icc_profile=RED_IS_BLUE)


def _sample(
    name: str,
    mode: str = "RGB",
    *,
    size: tuple[int, int] | None = None,
    **options: Any,
) -> Picture:
    image = scene(mode, size) if size else scene(mode)
    data = encoded(image, "JPEG", **{"quality": 90, **options})
    return f"jpeg {name}", data
