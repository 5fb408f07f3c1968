"""Colours told by profiles, code points, gamma and chromaticities, one by one and together."""

from collections.abc import Iterator
from itertools import product

from PIL import Image

from bench.exact.pictures.scene import Picture
from services.imaging.engine.raster.colour_spaces import (
    BT_709_CURVES,
    CURVES,
    HLG,
    PQ,
    PRIMARIES,
)
from tests.imaging.coloured import (
    ADOBE_RGB,
    BT_709,
    DISPLAY_P3,
    SRGB_CHUNK,
    chrm,
    cicp,
    clli,
    gama,
    iccp,
    jxl_with,
    png_with,
    with_code_points,
    with_peak,
    with_profile_code_points,
)
from tests.imaging.pictures import RED_IS_BLUE, SRGB, encoded

_LEVELS = range(0, 256, 51)
_DCI_P3 = 11  # primaries of H.273; in a JPEG XL with the white of D65


def stills() -> Iterator[Picture]:
    """Yield the files. `HDR` in a name: the colours are PQ or HLG."""
    for name, chunks in (*_gamma(), *_code_points(), *_several(), *_hdr()):
        yield f"png colours: {name}", png_with(_cube(), *chunks)
    for mode in ("L", "LA", "RGBA", "P"):
        for name, chunk in (("gAMA 1", gama(1)), ("HDR cICP 9/16", cicp(9, PQ))):
            yield f"png {mode} colours: {name}", png_with(_cube().convert(mode), chunk)
    yield from _boxes()
    yield from _profiles()
    jxl = encoded(_cube(), "JXL", lossless=True)
    for primaries, transfer in product((1, 9, _DCI_P3), (1, 8, 13, 17, PQ, HLG)):
        data = jxl_with(jxl, primaries, transfer)
        yield f"jxl lossless colours: {_points(primaries, transfer)}", data


def _cube(side: int = 1) -> Image.Image:
    """Return colours from the whole of a cube, and grays; each is a square of `side` pixels."""
    colours = [*product(_LEVELS, repeat=3), *((level,) * 3 for level in range(0, 256, 7))]
    data = b"".join(bytes(colour) for colour in colours[:256]).ljust(256 * 3, b"\0")
    image = Image.frombytes("RGB", (16, 16), data)
    return image.resize((16 * side, 16 * side), Image.Resampling.NEAREST)


def _gamma() -> Iterator[tuple[str, list[bytes]]]:
    for gamma in (0, 0.3, 0.43, 0.44, 0.45455, 0.47, 0.48, 1, 1.5):
        yield f"gAMA {gamma}", [gama(gamma)]
    for name, chromaticities in (
        ("BT.709", BT_709),
        ("P3", DISPLAY_P3),
        ("Adobe RGB", ADOBE_RGB),
        ("white of equal energy", (1 / 3, 1 / 3, *BT_709[2:])),
        ("on a line", (0.3,) * 8),
        ("zero", (0.0,) * 8),
    ):
        yield f"cHRM {name}", [chrm(*chromaticities)]
        for gamma in (0.45455, 1):
            yield f"gAMA {gamma} cHRM {name}", [gama(gamma), chrm(*chromaticities)]


def _code_points() -> Iterator[tuple[str, list[bytes]]]:
    for primaries in (*PRIMARIES, 2, 3):
        yield f"cICP {primaries}/13", [cicp(primaries, 13)]
    for transfer in (*CURVES, *BT_709_CURVES, 2, 3, 9, 10, 12):
        yield f"cICP 9/{transfer}, curves", [cicp(9, transfer)]
    yield "cICP of limited range", [cicp(12, 13, full_range=0)]


def _several() -> Iterator[tuple[str, list[bytes]]]:
    exchanged, linear = iccp(RED_IS_BLUE), gama(1)
    yield "sRGB gAMA cHRM", [SRGB_CHUNK, linear, chrm(*DISPLAY_P3)]
    yield "sRGB iCCP", [SRGB_CHUNK, exchanged]
    yield "iCCP gAMA", [exchanged, linear]
    yield "cICP iCCP", [cicp(12, 13), exchanged]
    yield "cICP iCCP gAMA, of sRGB", [cicp(1, 13), exchanged, linear]
    yield "unknown cICP, gAMA", [cicp(2, 2), linear]
    yield "broken iCCP, gAMA", [iccp(b"nonsense"), linear]
    yield "broken iCCP, sRGB gAMA", [iccp(b"nonsense"), SRGB_CHUNK, linear]


def _hdr() -> Iterator[tuple[str, list[bytes]]]:
    for transfer in (PQ, HLG):
        for primaries in (9, 12):
            yield _points(primaries, transfer), [cicp(primaries, transfer)]
        for peak in (300, 600, 4000):
            yield f"{_points(9, transfer)} cLLI {peak}", [cicp(9, transfer), clli(peak)]


def _boxes() -> Iterator[Picture]:
    avif = encoded(_cube(8), "AVIF", quality=100, subsampling="4:4:4")
    for primaries, transfer in (
        *((primaries, 13) for primaries in (*PRIMARIES, 2, 3)),
        *((1, transfer) for transfer in (1, 2, 4, 5, 6, 7, 8, 14, 15, 17)),
        *product((9, 12), (PQ, HLG)),
    ):
        data = with_code_points(avif, primaries, transfer)
        yield f"avif colours: {_points(primaries, transfer)}", data
    peak = with_peak(with_code_points(avif, 9, PQ), 300)
    yield f"avif colours: {_points(9, PQ)} clli 300", peak


def _profiles() -> Iterator[Picture]:
    for name, profile in (
        ("red and blue exchanged", RED_IS_BLUE),
        ("code points 12/13", with_profile_code_points(RED_IS_BLUE, 12, 13)),
        ("code points 1/1", with_profile_code_points(RED_IS_BLUE, 1, 1)),
        ("code points 2/2", with_profile_code_points(RED_IS_BLUE, 2, 2)),
        ("code points HDR 9/16", with_profile_code_points(SRGB, 9, PQ)),
        ("code points HDR 9/18", with_profile_code_points(SRGB, 9, HLG)),
        ("cut off", SRGB[:300]),
        ("nonsense", b"nonsense"),
    ):
        image = _cube(8)
        jpeg = encoded(image, "JPEG", quality=100, subsampling=0, icc_profile=profile)
        yield f"jpeg profile: {name}", jpeg
        webp = encoded(image, "WEBP", lossless=True, icc_profile=profile)
        yield f"webp lossless profile: {name}", webp


def _points(primaries: int, transfer: int) -> str:
    return f"{'HDR ' * (transfer in (PQ, HLG))}code points {primaries}/{transfer}"
