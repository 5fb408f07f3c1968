"""The files that decoders are asked about, made here: every format, mode, depth and orientation."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.imaging.pictures import encoded, exif_of, scenery

SIZE = (67, 45)  # odd, so that a subsampled colour ends within a pixel


@dataclass(frozen=True)
class Sample:
    """An image file. Its name begins with its format."""

    name: str
    data: bytes
    lossy: bool = False


def samples() -> Iterator[Sample]:
    """Yield all files."""
    yield from _jpeg()
    yield from _webp()


def _jpeg() -> Iterator[Sample]:
    picture = scenery(*SIZE)
    for subsampling in ("4:4:4", "4:2:2", "4:2:0"):
        for progressive in (False, True):
            for mode in ("RGB", "L"):
                kind = "progressive" if progressive else "baseline"
                data = encoded(
                    picture.convert(mode),
                    "JPEG",
                    quality=90,
                    subsampling=subsampling,
                    progressive=progressive,
                )
                yield Sample(f"jpeg {mode} {subsampling} {kind}", data, lossy=True)
    for orientation in range(1, 9):
        data = encoded(picture, "JPEG", quality=95, exif=exif_of(orientation))
        yield Sample(f"jpeg orientation {orientation}", data, lossy=True)


def _webp() -> Iterator[Sample]:
    picture = scenery(*SIZE)
    for mode in ("RGB", "RGBA"):
        for lossless in (False, True):
            data = encoded(picture.convert(mode), "WEBP", lossless=lossless)
            kind = "lossless" if lossless else "lossy"
            yield Sample(f"webp {mode} {kind}", data, lossy=not lossless)
