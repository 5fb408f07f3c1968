"""How the colours of an image are described: by an ICC profile, by numbers, or not at all."""

from dataclasses import dataclass

from services.imaging.engine.raster import icc
from services.imaging.engine.raster.colour_spaces import (
    BT_709,
    CURVES,
    HLG,
    PQ,
    PRIMARIES,
    SRGB_CURVE,
    Curve,
    Primaries,
)
from services.imaging.engine.raster.hdr import USUAL_PEAK, Hdr


@dataclass(frozen=True)
class Space:
    """An RGB colour space of standard dynamic range; a gray image has its curve."""

    name: str
    primaries: Primaries
    curve: Curve


Colours = bytes | Space | Hdr
"""An ICC profile, or a space by numbers; empty bytes are sRGB."""

SRGB = b""


def by_code_points(primaries: int, transfer: int, peak: float | None = None) -> Colours | None:
    """Return the colours of two code points of ITU-T H.273; None if either is not known.

    `peak` is the brightest pixel of a high dynamic range in cd/m2.
    """
    found, curve = PRIMARIES.get(primaries), CURVES.get(transfer)
    name = f"CICP {primaries}/{transfer}"
    if found and transfer in (PQ, HLG):
        return Hdr(name, found, transfer, peak or USUAL_PEAK)
    if not found or not curve:
        return None
    if found == BT_709 and curve == SRGB_CURVE:
        return SRGB
    return Space(name, found, curve)


def by_profile(profile: bytes) -> Colours:
    """Return the colours of an ICC profile: those of its code points if they are HDR."""
    points = icc.code_points(profile)
    if points and isinstance(named := by_code_points(*points), Hdr):
        return named
    return profile


def profile_of(colours: Colours, *, gray: bool) -> bytes:
    """Return an ICC profile for samples of these colours; empty for sRGB and for HDR."""
    match colours:
        case Hdr():
            return b""
        case Space(name, primaries, curve):
            if gray:
                return icc.gray_profile(name, curve)
            return icc.rgb_profile(name, primaries, curve)
        case _:
            return colours
