"""The colours of a PNG, from its chunks (PNG, Third Edition, W3C 2025, 4.3 and 11.3.2)."""

import struct

from services.imaging.engine.formats.png.file import chunks
from services.imaging.engine.raster.colour_spaces import BT_709, BT_1886, Curve, Primaries
from services.imaging.engine.raster.colours import (
    SRGB,
    Colours,
    Space,
    by_code_points,
    by_profile,
    profile_of,
)
from services.imaging.engine.raster.icc import is_profile

_CHUNKS = (b"cICP", b"cLLI", b"mDCV", b"sRGB", b"gAMA", b"cHRM")
_SCALE = 100_000  # of gAMA and cHRM
_LIGHT_SCALE = 10_000  # of cLLI and mDCV
_RGB_IN_FULL_RANGE = b"\0\1"  # the end of cICP

# Gamma of sRGB. Without chromaticities, a gamma within 5 percent means sRGB, as in libpng.
_SRGB_GAMMA, _TOLERANCE = 2.2, 0.05


def colours(data: bytes, profile: bytes) -> Colours:
    """Return the colours of a file; `profile` is the one in its iCCP chunk, or empty.

    Of several descriptions the first of cICP, iCCP, sRGB and gAMA counts that can be read.
    """
    described = _described(data)
    points = described.get(b"cICP", b"")
    if len(points) == 4 and points[2:] == _RGB_IN_FULL_RANGE:
        named = by_code_points(points[0], points[1], _peak(described), bt_709=BT_1886)
        if named is not None:
            return named
    if is_profile(profile):
        return by_profile(profile)
    if b"sRGB" in described:
        return SRGB
    return _by_gamma(described)


def _by_gamma(described: dict[bytes, bytes]) -> Colours:
    gamma = int.from_bytes(described.get(b"gAMA", b"")[:4], "big") / _SCALE
    if not gamma:
        return SRGB
    name, primaries = f"gAMA {gamma:g}", BT_709
    if len(described.get(b"cHRM", b"")) == 32:
        parts = [part / _SCALE for part in struct.unpack(">8I", described[b"cHRM"])]
        white, red, green, blue = zip(parts[::2], parts[1::2], strict=True)
        name, primaries = f"{name}, cHRM", Primaries(white, red, green, blue)
    elif abs(gamma * _SRGB_GAMMA - 1) < _TOLERANCE:
        return SRGB
    space = Space(name, primaries, Curve(1 / gamma))
    try:
        profile_of(space, gray=False)
    except ValueError:
        return SRGB
    return space


def _peak(described: dict[bytes, bytes]) -> float | None:
    """Return the light of the brightest pixel, or else of the display on which it was made."""
    for name, at in ((b"cLLI", 0), (b"mDCV", 16)):
        if light := int.from_bytes(described.get(name, b"")[at : at + 4], "big"):
            return light / _LIGHT_SCALE
    return None


def _described(data: bytes) -> dict[bytes, bytes]:
    """Return the chunks before the pixels that describe colours, the first of each name."""
    found: dict[bytes, bytes] = {}
    for name, content in chunks(data):
        if name == b"IDAT":
            break
        if name in _CHUNKS and name not in found:
            found[name] = bytes(content[:32])
    return found
