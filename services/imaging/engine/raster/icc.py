"""ICC profiles as bytes (ICC.1:2022): write one for a colour space, read fields of others."""

import struct

from services.imaging.engine.raster.colour_spaces import (
    D50,
    Curve,
    Primaries,
    to_xyz,
    transposed,
)

GRAY, RGB = b"GRAY", b"RGB "

# 7.2: the fields of a header, and its length; a table of tags follows.
_SPACE, _SIGNATURE, _HEADER = slice(16, 20), slice(36, 40), 128
_MAX_TAGS = 100  # read; profiles have 10 to 30
_PARAMETRIC = 3  # the type of a curve with a linear part (10.18)


def rgb_profile(name: str, primaries: Primaries, curve: Curve) -> bytes:
    """Return a profile of an RGB colour space. Raises ValueError for impossible primaries."""
    colorants = transposed(to_xyz(primaries))
    tags = {
        name: b"XYZ " + bytes(4) + _fixed(*colorant)
        for name, colorant in zip((b"rXYZ", b"gXYZ", b"bXYZ"), colorants, strict=True)
    }
    return _profile(RGB, name, tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _curve(curve)))


def gray_profile(name: str, curve: Curve) -> bytes:
    """Return a profile of grayscale samples."""
    return _profile(GRAY, name, {b"kTRC": _curve(curve)})


def space_of(profile: bytes) -> bytes:
    """Return the colour space of a profile: `GRAY`, `RGB`, or another of four bytes."""
    return profile[_SPACE]


def is_profile(data: bytes) -> bool:
    """Return whether bytes begin like an ICC profile."""
    return data[_SIGNATURE] == b"acsp"


def code_points(profile: bytes) -> tuple[int, int] | None:
    """Return the primaries and the transfer function of H.273 that a profile names (9.2.17)."""
    count = int.from_bytes(profile[_HEADER : _HEADER + 4], "big")
    for at in range(_HEADER + 4, _HEADER + 4 + 12 * min(count, _MAX_TAGS), 12):
        if profile[at : at + 4] == b"cicp":
            start = int.from_bytes(profile[at + 4 : at + 8], "big")
            body = profile[start : start + 12]
            return (body[8], body[9]) if len(body) == 12 else None
    return None


def without_float_stages(profile: bytes) -> bytes:
    """Return a profile whose tags D2B0 to D2B3 (9.2.7) are not found; often `profile`.

    They hold any number of stages, all of which may be one part of the file: a profile of 500 bytes
    takes minutes or gigabytes. Browsers do not read them.
    """
    count = int.from_bytes(profile[_HEADER : _HEADER + 4], "big")
    table = slice(_HEADER + 4, _HEADER + 4 + 12 * min(count, _MAX_TAGS))
    tags = profile[table]
    names = [tags[at : at + 4] for at in range(0, len(tags), 12)]
    if not any(name.startswith(b"D2B") for name in names):
        return profile
    renamed = b"".join(
        (name.lower() if name.startswith(b"D2B") else name) + tags[12 * at + 4 : 12 * at + 12]
        for at, name in enumerate(names)
    )
    return profile[: table.start] + renamed + profile[table.start + len(renamed) :]


def _profile(space: bytes, name: str, tags: dict[bytes, bytes]) -> bytes:
    tags = {
        b"desc": _text(name),
        b"cprt": _text("No copyright"),
        b"wtpt": b"XYZ " + bytes(4) + _fixed(*D50),
        **tags,
    }
    table, body = struct.pack(">I", len(tags)), b""
    start = _HEADER + 4 + 12 * len(tags)
    placed: dict[bytes, int] = {}
    for key, tag in tags.items():
        if tag not in placed:  # equal curves are stored once
            placed[tag] = start + len(body)
            body += tag + bytes(-len(tag) % 4)
        table += key + struct.pack(">II", placed[tag], len(tag))
    # Version 4.4, for a display, made at no time.
    header = struct.pack(">I4xI", start + len(body), 0x04400000) + b"mntr" + space + b"XYZ "
    header += bytes(12) + b"acsp" + bytes(28) + _fixed(*D50)
    return header.ljust(_HEADER, b"\0") + table + body


def _text(text: str) -> bytes:
    data = text.encode("utf-16-be")
    return b"mluc" + bytes(4) + struct.pack(">II4sII", 1, 12, b"enUS", len(data), 28) + data


def _curve(curve: Curve) -> bytes:
    numbers = _fixed(curve.gamma, curve.a, curve.b, curve.c, curve.d)
    return b"para" + bytes(4) + struct.pack(">HH", _PARAMETRIC, 0) + numbers


def _fixed(*numbers: float) -> bytes:
    """Return numbers as s15Fixed16. Raises ValueError for numbers that are too large."""
    try:
        return struct.pack(f">{len(numbers)}i", *(round(number * 65_536) for number in numbers))
    except struct.error as exc:
        raise ValueError("a profile holds numbers below 32,768") from exc
