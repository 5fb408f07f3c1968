"""Files whose colours are told by chunks and boxes, for the tests and the judges."""

import re
import struct
import zlib

from PIL import Image

from tests.imaging.forged import box, chunk
from tests.imaging.pictures import encoded

# White, red, green and blue, as in a cHRM chunk.
BT_709 = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
DISPLAY_P3 = (0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
ADOBE_RGB = (0.3127, 0.329, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)


def png_with(image: Image.Image, *chunks: bytes) -> bytes:
    """A PNG of an image with these chunks right after its header."""
    return with_chunks(encoded(image, "PNG"), *chunks)


def with_chunks(png: bytes, *chunks: bytes) -> bytes:
    """Insert chunks into a PNG right after its header."""
    return png[:33] + b"".join(chunks) + png[33:]


def gama(gamma: float) -> bytes:
    """A gAMA chunk."""
    return chunk(b"gAMA", struct.pack(">I", round(gamma * 100_000)))


def chrm(*chromaticities: float) -> bytes:
    """A cHRM chunk of white, red, green and blue."""
    return chunk(b"cHRM", struct.pack(">8I", *(round(part * 100_000) for part in chromaticities)))


def cicp(primaries: int, transfer: int, matrix: int = 0, full_range: int = 1) -> bytes:
    """A cICP chunk of code points of ITU-T H.273."""
    return chunk(b"cICP", bytes((primaries, transfer, matrix, full_range)))


def clli(peak: float) -> bytes:
    """A cLLI chunk: the light of the brightest pixel, in cd/m2."""
    return chunk(b"cLLI", struct.pack(">II", round(peak * 10_000), 0))


def iccp(profile: bytes) -> bytes:
    """An iCCP chunk."""
    return chunk(b"iCCP", b"x\0\0" + zlib.compress(profile))


SRGB_CHUNK = chunk(b"sRGB", b"\0")


def with_code_points(data: bytes, primaries: int, transfer: int) -> bytes:
    """Change the code points in an AVIF or a HEIF."""
    points = struct.pack(">HH", primaries, transfer)
    return re.sub(rb"(?<=colrnclx).{4}", lambda _: points, data, flags=re.DOTALL)


def with_peak(avif: bytes, peak: int) -> bytes:
    """Replace an AVIF's number of channels, which decoders know anyway, by its brightest pixel."""
    at = avif.index(b"pixi") - 4
    light = box(b"clli", struct.pack(">HH", peak, 0) + bytes(4))
    assert len(light) == int.from_bytes(avif[at : at + 4], "big")
    return avif[:at] + light + avif[at + len(light) :]


def with_profile_code_points(profile: bytes, primaries: int, transfer: int) -> bytes:
    """Add code points to an ICC profile (ICC.1:2022, 9.2.17)."""
    count = int.from_bytes(profile[128:132], "big")
    table = b""
    for at in range(132, 132 + 12 * count, 12):
        name, start, length = struct.unpack(">4sII", profile[at : at + 12])
        table += struct.pack(">4sII", name, start + 12, length)
    table += struct.pack(">4sII", b"cicp", len(profile) + 12, 12)
    body = profile[132 + 12 * count :] + b"cicp" + bytes(4) + bytes((primaries, transfer, 0, 1))
    whole = profile[4:128] + struct.pack(">I", count + 1) + table + body
    return struct.pack(">I", len(whole) + 4) + whole


def jxl_with(jxl: bytes, primaries: int, transfer: int) -> bytes:
    """Change a lossless JPEG XL in sRGB, without alpha, to other colours.

    ISO/IEC 18181-1:2022, annex D: headers, lowest bit first, and their end at a byte.
    """
    head = 64  # bytes that hold the headers
    bits = "".join(f"{byte:08b}"[::-1] for byte in jxl[2:head])
    at = 1  # after the flag of a size in steps of 8
    sides = 5 if bits[0] == "1" else 0
    for side in range(2):
        if side == 1:
            ratio, at = bits[at : at + 3], at + 3
            if ratio != "000":
                break
        width = sides or 2 + (9, 13, 18, 30)[int(bits[at : at + 2][::-1], 2)]
        at += width
    # Not all defaults, no further fields, 8 bits, 16-bit buffers suffice, no alpha, no XYB.
    assert bits[at : at + 9] == "000001000", bits[at : at + 9]
    at += 8
    assert bits[at] == "0"
    at += 1
    # The flag for sRGB, no extensions, the default transform.
    assert bits[at : at + 4] == "1001"
    colours = "00" + "00" + "10" + _enum(primaries) + "0" + _enum(transfer) + "10"
    changed = bits[:at] + colours + bits[at + 1 : at + 4]
    changed += "0" * (-len(changed) % 8)
    packed = bytes(int(changed[at : at + 8][::-1], 2) for at in range(0, len(changed), 8))
    return jxl[:2] + packed + jxl[2 + (at + 4 + 7) // 8 :]


def _enum(value: int) -> str:
    """Return a value as the standard's Enum, lowest bit first."""
    if value < 2:
        return f"{value:02b}"[::-1]
    if value < 18:
        return "01" + f"{value - 2:04b}"[::-1]
    return "11" + f"{value - 18:06b}"[::-1]
