"""JPEG files of every layout that Pillow writes, and with every segment beside the pixels broken.

ITU-T T.81, annex B; EXIF: CIPA DC-008-2019, 4.5; Adobe Technical Note 5116.
"""

import io
import random
import struct
from collections.abc import Iterator
from typing import Any

from PIL import Image

_SIZE = (40, 24)

Entry = tuple[int, int, int, bytes]
"""Tag, field type, count, and the four bytes of a value or an offset."""


def stills() -> Iterator[tuple[str, bytes]]:
    """Yield each file with its name."""
    yield from _layouts()
    for name, exif in odd_exif().items():
        yield f"jpeg with EXIF {name}", with_segments((0xE1, b"Exif\0\0" + exif))
    for name, (marker, body) in _odd_segments().items():
        yield f"jpeg with {name}", with_segments((marker, body))
    yield from _damaged()


def with_segments(*segments: tuple[int, bytes]) -> bytes:
    """Return a JPEG with segments after its first marker, each a marker and a body."""
    whole = _encoded(_picture("RGB"))
    added = (struct.pack(">BBH", 0xFF, mark, len(body) + 2) + body for mark, body in segments)
    return whole[:2] + b"".join(added) + whole[2:]


def odd_exif() -> dict[str, bytes]:
    """Return EXIF, without its `Exif` prefix, that is broken in one way each, by name."""
    turned = _entry(0x0112, 3, 1, b"\0\6\0\0")
    dice = random.Random(7)
    exif = {
        "that turns": _exif(turned),
        "of no bytes": b"",
        "of a wrong byte order": b"XX\0*" + _exif(turned)[4:],
        "of a wrong number": b"MM\0\x99" + _exif(turned)[4:],
        "that ends within its header": b"MM\0*\0\0",
        "that ends within its directory": _exif(turned)[:16],
        "whose directory lies past the end": b"MM\0*\0\xff\xff\xff",
        "whose directory is its header": b"MM\0*\0\0\0\0",
        "with 18,761 tags": b"MM\0*\0\0\0\x08" + b"\x49\x49" + turned * 9,
        "with 65,535 tags": b"MM\0*\0\0\0\x08" + b"\xff\xff" + turned * 9,
        "with an orientation of 0": _exif(_entry(0x0112, 3, 1, b"\0\0\0\0")),
        "with an orientation of 9": _exif(_entry(0x0112, 3, 1, b"\0\x09\0\0")),
        "with an orientation of 32 bits": _exif(_entry(0x0112, 4, 1, b"\0\0\0\6")),
        "with an orientation of two values": _exif(_entry(0x0112, 3, 2, b"\0\6\0\3")),
        "with an orientation in text": _exif(_entry(0x0112, 2, 2, b"6\0\0\0")),
        "with an orientation of an unknown type": _exif(_entry(0x0112, 99, 1, b"\0\6\0\0")),
        "with two orientations": _exif(turned, _entry(0x0112, 3, 1, b"\0\3\0\0")),
        "with values past the end": _exif(turned, _entry(0x010F, 2, 900, b"\0\0\xff\xff")),
        "with 4 billion values": _exif(_entry(0x010F, 2, 2**32 - 1, b"\0\0\0\x08"), turned),
        "with a resolution of 0/0": _exif(turned, _entry(0x011A, 5, 1, b"\0\0\0\x26")) + bytes(40),
        "with its own directory inside": _exif(turned, _entry(0x8769, 4, 1, b"\0\0\0\x08")),
        "with an inner directory past the end": _exif(turned, _entry(0x8769, 4, 1, b"\0\0\xff\0")),
        "with places inside that are text": _exif(turned, _entry(0x8825, 2, 4, b"abc\0")),
        "whose next directory is itself": _exif(turned)[:-4] + b"\0\0\0\x08",
        "of text": b"words and more words",
        "twice its prefix": b"Exif\0\0" + _exif(turned),
    }
    for number in range(12):
        body = bytearray(_exif(turned, _entry(0x8769, 4, 1, b"\0\0\0\x26")) + _exif(turned)[8:])
        for _ in range(3):
            body[dice.randrange(len(body))] = dice.randrange(256)
        exif[f"with wrong bytes, {number}"] = bytes(body)
    return exif


def _entry(tag: int, kind: int, count: int, value: bytes) -> bytes:
    return struct.pack(">HHI", tag, kind, count) + value


def _exif(*entries: bytes) -> bytes:
    return b"MM\0*\0\0\0\x08" + struct.pack(">H", len(entries)) + b"".join(entries) + bytes(4)


def _picture(mode: str) -> Image.Image:
    bands = (
        Image.radial_gradient("L").resize(_SIZE),
        Image.linear_gradient("L").resize(_SIZE),
        Image.linear_gradient("L").rotate(90).resize(_SIZE),
    )
    return Image.merge("RGB", bands).convert(mode)


def _encoded(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95, **options)
    return buffer.getvalue()


def _layouts() -> Iterator[tuple[str, bytes]]:
    for mode in ("L", "RGB", "CMYK"):
        for chroma in ("4:4:4", "4:2:2", "4:2:0") if mode == "RGB" else ("",):
            for progressive in (False, True):
                options: dict[str, Any] = {"progressive": progressive}
                if chroma:
                    options["subsampling"] = chroma
                name = f"jpeg {mode} {chroma}{' progressive' * progressive}"
                yield name, _encoded(_picture(mode), **options)
    yield "jpeg with restarts", _encoded(_picture("RGB"), restart_marker_rows=1)
    yield "jpeg of RGB, without YCbCr", _encoded(_picture("RGB"), keep_rgb=True)
    cmyk = _encoded(_picture("CMYK"))
    at = cmyk.index(b"\xff\xee")
    yield "jpeg CMYK without Adobe", cmyk[:at] + cmyk[at + 16 :]
    yield "jpeg YCCK", cmyk[: at + 15] + b"\2" + cmyk[at + 16 :]
    whole = _encoded(_picture("RGB"))
    at = whole.index(b"\xff\xe0")
    yield "jpeg without JFIF", whole[:at] + whole[at + 18 :]
    yield "jpeg RGB by Adobe", whole[:at] + b"\xff\xee\0\x0eAdobe\0d\0\0\0\0\0" + whole[at + 18 :]
    frame = whole.index(b"\xff\xc0")
    for bits in (2, 12, 16):
        changed = bytearray(whole)
        changed[frame + 4] = bits
        yield f"jpeg of {bits} bits", bytes(changed)
    for marker in (0xC3, 0xC5, 0xC6, 0xC7, 0xC8, 0xCB, 0xCD, 0xCE, 0xCF):
        changed = bytearray(whole)
        changed[frame + 1] = marker
        yield f"jpeg of the process {marker:02X}", bytes(changed)
    for components in (0, 2, 5):
        changed = bytearray(whole)
        changed[frame + 9] = components
        yield f"jpeg of {components} components", bytes(changed)


def _odd_segments() -> dict[str, tuple[int, bytes]]:
    jfif, icc, mpf = b"JFIF\0", b"ICC_PROFILE\0", b"MPF\0"
    segments: dict[str, tuple[int, bytes]] = {
        "a second JFIF of no bytes": (0xE0, b""),
        "JFIF that ends within its name": (0xE0, b"JFI"),
        "JFIF that ends within its version": (0xE0, jfif + b"\1"),
        "JFIF without a version": (0xE0, jfif),
        "JFIF with a thumbnail past its end": (0xE0, jfif + b"\1\2\0\0\1\0\1\xff\xff"),
        "Adobe that ends within its version": (0xEE, b"Adobe\0"),
        "Adobe without a version": (0xEE, b"Adobe"),
        "a profile without its number": (0xE2, icc),
        "a profile with half of its number": (0xE2, icc + b"\1"),
        "a profile of 0 parts": (0xE2, icc + b"\0\0"),
        "the second part of a profile": (0xE2, icc + b"\2\2words"),
        "a profile of words": (0xE2, icc + b"\1\1words"),
        "MPF without a directory": (0xE2, mpf),
        "MPF of words": (0xE2, mpf + b"words and more words"),
        "MPF past its end": (0xE2, mpf + b"MM\0*\0\xff\xff\xff"),
        "MPF of two images": (
            0xE2,
            mpf + _exif(
                _entry(0xB000, 7, 4, b"0100"), _entry(0xB001, 4, 1, b"\0\0\0\2"),
                _entry(0xB002, 7, 32, b"\0\0\0\x32"),
            ) + bytes(32),
        ),
        "MPF of images of an unknown kind": (
            0xE2,
            mpf + _exif(
                _entry(0xB001, 4, 1, b"\0\0\0\2"), _entry(0xB002, 7, 32, b"\0\0\0\x26"),
            ) + b"\7" * 32,
        ),
        "MPF whose number of images is text": (
            0xE2, mpf + _exif(_entry(0xB001, 2, 4, b"abc\0"), _entry(0xB002, 7, 4, b"abcd")),
        ),
        "MPF with 65,535 tags": (0xE2, mpf + b"MM\0*\0\0\0\x08\xff\xff"),
        "Photoshop without resources": (0xED, b"Photoshop 3.0\0"),
        "Photoshop that ends within a resource": (0xED, b"Photoshop 3.0\x008BIM\3\xed\0"),
        "Photoshop with a resource past its end": (
            0xED, b"Photoshop 3.0\x008BIM\3\xed\0\0\xff\xff\xff\xff",
        ),
        "Photoshop of many words": (0xED, b"Photoshop 3.0\x008BIM"),
        "XMP of no bytes": (0xE1, b"http://ns.adobe.com/xap/1.0/\0"),
        "XMP that is not XML": (0xE1, b"http://ns.adobe.com/xap/1.0/\0<<<"),
        "FlashPix of words": (0xE2, b"FPXR\0words"),
        "a comment of no bytes": (0xFE, b""),
        "a comment in no encoding": (0xFE, b"\xff\xfe\x80"),
    }  # fmt: skip
    return segments


def _damaged() -> Iterator[tuple[str, bytes]]:
    whole = _encoded(_picture("RGB"))
    progressive = _encoded(_picture("RGB"), progressive=True)
    yield "jpeg without its end", whole[:-2]
    yield "jpeg cut off in its last bytes", whole[:-9]
    yield "jpeg cut off in the middle", whole[: len(whole) * 2 // 3]
    yield "jpeg progressive, cut off", progressive[: len(progressive) * 4 // 5]
    yield "jpeg followed by other bytes", whole + b"words" * 9
    yield "jpeg with fill bytes", whole[:2] + b"\xff" * 9 + whole[2:]
    yield "jpeg with other bytes between segments", whole[:2] + bytes(9) + whole[2:]
    yield "jpeg with a segment past its end", whole[:2] + b"\xff\xe4\xff\xff" + whole[2:]
    yield "jpeg with a segment of length 0", whole[:2] + b"\xff\xe4\0\0" + whole[2:]
    yield "jpeg with a comment of length 1", whole[:2] + b"\xff\xfe\0\1" + whole[2:]
