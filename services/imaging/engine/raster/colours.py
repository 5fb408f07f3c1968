"""Descriptions of an image's colours: an ICC profile, numbers, or none."""

from dataclasses import dataclass, replace

from services.imaging.engine.raster import icc
from services.imaging.engine.raster.colour_spaces import (
    BT_709,
    BT_709_CURVES,
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
    profile: bytes = b""  # the file's own ICC profile, if that names the space

    @property
    def is_srgb(self) -> bool:
        """True if samples are sRGB."""
        return self.primaries == BT_709 and self.curve == SRGB_CURVE


Colours = bytes | Space | Hdr
"""An ICC profile, or a space by numbers; empty bytes are sRGB."""

SRGB = b""


def by_code_points(
    primaries: int, transfer: int, peak: float | None = None, *, bt_709: Curve = SRGB_CURVE
) -> Colours | None:
    """Return the colours of two code points of ITU-T H.273; None if either is not known.

    `peak` is the brightest pixel of a high dynamic range in cd/m2. `bt_709` is how the curve of
    BT.709 is shown: as sRGB, since most encoders write its code point for pictures in sRGB.
    """
    found = PRIMARIES.get(primaries)
    curve = bt_709 if transfer in BT_709_CURVES else CURVES.get(transfer)
    name = f"CICP {primaries}/{transfer}"
    if found and transfer in (PQ, HLG):
        return Hdr(name, found, transfer, peak or USUAL_PEAK)
    if not found or not curve:
        return None
    if found == BT_709 and curve == SRGB_CURVE:
        return SRGB
    return Space(name, found, curve)


def by_profile(profile: bytes) -> Colours:
    """Return the colours of an ICC profile, by its code points if it has known ones.

    Code points are more exact than the tables beside them, and the only way to tell PQ and HLG.
    """
    points = icc.code_points(profile) if icc.space_of(profile) == icc.RGB else None
    match points and by_code_points(*points):
        case Hdr() as hdr:
            return hdr
        case Space() as space:
            return replace(space, profile=profile)
        case bytes():
            return Space("sRGB", BT_709, SRGB_CURVE, profile)
    return profile


def profile_of(colours: Colours, *, gray: bool) -> bytes:
    """Return an ICC profile for samples of these colours; empty for sRGB and for HDR."""
    match colours:
        case Hdr():
            return b""
        case Space(profile=bytes() as profile) if profile:
            return profile
        case Space(name, primaries, curve):
            if gray:
                return icc.gray_profile(name, curve)
            return icc.rgb_profile(name, primaries, curve)
        case _:
            return colours
