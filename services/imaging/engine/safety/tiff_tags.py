"""Check how many values a TIFF's directories or EXIF hold, before Pillow makes objects of them.

TIFF 6.0, section 2; BigTIFF differs by the width of its numbers. EXIF has the same layout.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, Self

from PIL import ExifTags

from contracts.errors import ImageTooBig

# libtiff reads no directory with more; a photograph has 200 in all of its directories.
_MAX_ENTRIES = 4_096
# A TIFF of 65,535 rows, each a strip, has 131,070 numbers. Pillow takes 2 microseconds a fraction.
_MAX_NUMBERS = 300_000
_MAX_FRACTIONS = 20_000

MAX_EXIF = 4 << 20
"""Bytes of EXIF that are read; a JPEG segment holds 64 KiB, but EXIF may continue in others."""

PREFIXES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"II\0*", b"MM*\0")
"""The first bytes of files; the last two are in no standard, but Pillow reads them."""

_DIRECTORIES = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo, ExifTags.IFD.Interop)

# Bytes a value, by field type. Bytes and texts become one object, however long they are.
_STRINGS = {1: 1, 2: 1, 7: 1}
_NUMBERS = {3: 2, 4: 4, 6: 1, 8: 2, 9: 4, 11: 4, 12: 8, 13: 4, 16: 8}
_FRACTIONS = {5: 8, 10: 8}
_SIZES = {**_STRINGS, **_NUMBERS, **_FRACTIONS}


class Entry(NamedTuple):
    """One field of a directory, as its 12 or 20 bytes describe it."""

    tag: int
    kind: int  # the field type, which need not be a known one
    values: int  # as many as the entry claims
    at: int  # the file offset of the first value

    @property
    def end(self) -> int:
        """The file offset after the last value."""
        return self.at + self.values * _SIZES.get(self.kind, 0)


@dataclass(frozen=True)
class Layout:
    """The byte order and the width of a TIFF's offsets."""

    order: Literal["little", "big"]
    is_big: bool  # BigTIFF

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Return the layout that the first four bytes announce, read as Pillow reads them."""
        return cls("big" if data[:2] == b"MM" else "little", data[2:3] == b"+")

    def number(self, data: bytes, at: int, size: int) -> int:
        """Return an unsigned number of `size` bytes, or of those before the end of the file."""
        return int.from_bytes(data[at : at + size], self.order)

    def first(self, data: bytes) -> int:
        """Return the file offset of the first directory."""
        return self.number(data, 8, 8) if self.is_big else self.number(data, 4, 4)

    def value(self, data: bytes, entry: Entry) -> int:
        """Return the first value of an entry; 0 if the values are not whole numbers."""
        return self.number(data, entry.at, _NUMBERS.get(entry.kind, 0))

    def numbers(self, data: bytes, entry: Entry) -> Iterator[int]:
        """Yield the values of an entry, if they are whole numbers and lie within the file."""
        size = _NUMBERS.get(entry.kind, 0)
        if size and entry.end <= len(data):
            for at in range(entry.at, entry.end, size):
                yield self.number(data, at, size)

    def entries(self, data: bytes, directory: int) -> Iterator[Entry]:
        """Yield the entries of the directory at an offset, up to the end of the file.

        Stops after 4,097, one more than a file may have.
        """
        order = "<" if self.order == "little" else ">"
        form = struct.Struct(order + ("HHQ" if self.is_big else "HHI"))
        head, step, slot = (8, 20, 8) if self.is_big else (2, 12, 4)
        for number in range(min(self.number(data, directory, head), _MAX_ENTRIES + 1)):
            at = directory + head + number * step
            if at + step > len(data):
                return
            tag, kind, values = form.unpack_from(data, at)
            entry = Entry(tag, kind, values, at + form.size)
            if entry.end - entry.at > slot:
                # Too long for the entry: an offset stands in place of the values.
                entry = entry._replace(at=self.number(data, entry.at, slot))
            yield entry


def check_tiff(data: bytes) -> None:
    """Check a TIFF's first directory, and the EXIF and GPS directories within it.

    Raises ImageTooBig.
    """
    layout = Layout.of(data)
    waiting = [layout.first(data)]
    seen = set(waiting)
    entries = numbers = fractions = 0
    while waiting:
        for entry in layout.entries(data, waiting.pop()):
            entries += 1
            # Some programs leave entries whose values lie past the end; Pillow skips these.
            if entry.end <= len(data):
                numbers += entry.values if entry.kind in _NUMBERS else 0
                fractions += entry.values if entry.kind in _FRACTIONS else 0
            if entries > _MAX_ENTRIES or numbers > _MAX_NUMBERS or fractions > _MAX_FRACTIONS:
                raise ImageTooBig(
                    f"The file has more than {_MAX_ENTRIES:,} tags, or {_MAX_NUMBERS:,} numbers "
                    f"or {_MAX_FRACTIONS:,} fractions in tags."
                )
            is_directory = entry.tag in _DIRECTORIES and entry.kind in _NUMBERS
            if is_directory and (place := layout.value(data, entry)) not in seen:
                seen.add(place)
                waiting.append(place)


def orientation(data: bytes) -> int:
    """Return the orientation, 1 to 8, of a TIFF or of EXIF, with or without its `Exif` prefix.

    Broken EXIF, and a value that is none of these, count as upright: 1.
    """
    data = data.removeprefix(b"Exif\0\0")
    if data[:4] not in PREFIXES:
        return 1
    layout = Layout.of(data)
    for entry in layout.entries(data, layout.first(data)):
        if entry.tag == ExifTags.Base.Orientation:
            value = layout.value(data, entry)
            return value if 1 <= value <= 8 else 1
    return 1


def check_exif(data: bytes) -> None:
    """Check EXIF, with or without its `Exif` prefix. Raises ImageTooBig."""
    if len(data) > MAX_EXIF:
        raise ImageTooBig(f"The EXIF has {len(data):,} bytes; {MAX_EXIF:,} are accepted.")
    # Twice, as Pillow accepts a second prefix.
    check_tiff(data.removeprefix(b"Exif\0\0").removeprefix(b"Exif\0\0"))
