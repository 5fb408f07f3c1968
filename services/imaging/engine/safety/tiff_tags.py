"""How much a TIFF's directory or EXIF holds, counted before Pillow makes an object of each value.

TIFF 6.0, section 2; BigTIFF differs by the width of its numbers.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, Self

from PIL import ExifTags

from contracts.errors import ImageTooBig

# libtiff reads no directory with more; a photograph has 200 in all of its directories.
_MOST_ENTRIES = 4_096
# A TIFF of 65,535 rows, with a strip for each, has 131,070; a fraction takes 2 microseconds.
_MOST_NUMBERS = 300_000
_MOST_FRACTIONS = 20_000
_MOST_EXIF = 4 << 20  # bytes; a JPEG's has 64 KiB, unless it comes in parts

_DIRECTORIES = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo, ExifTags.IFD.Interop)

# Bytes a value, by type. Bytes and texts are one object however long they are.
_PLAIN = {1: 1, 2: 1, 7: 1}
_NUMBERS = {3: 2, 4: 4, 6: 1, 8: 2, 9: 4, 11: 4, 12: 8, 13: 4, 16: 8}
_FRACTIONS = {5: 8, 10: 8}
_SIZES = {**_PLAIN, **_NUMBERS, **_FRACTIONS}


class Entry(NamedTuple):
    """One tag: its type, how many values it claims, and where in the file the first lies."""

    tag: int
    kind: int
    values: int
    at: int

    @property
    def end(self) -> int:
        """Where in the file the last value ends."""
        return self.at + self.values * _SIZES.get(self.kind, 0)


@dataclass(frozen=True)
class Layout:
    """How a TIFF writes its numbers, as Pillow takes its first bytes."""

    order: Literal["little", "big"]
    is_big: bool  # BigTIFF

    @classmethod
    def of(cls, data: bytes) -> Self:
        """As the first four bytes say."""
        return cls("big" if data[:2] == b"MM" else "little", data[2:3] == b"+")

    def number(self, data: bytes, at: int, size: int) -> int:
        """An unsigned number of `size` bytes; what lies behind the end is zero."""
        return int.from_bytes(data[at : at + size], self.order)

    def first(self, data: bytes) -> int:
        """Where the first directory lies."""
        return self.number(data, 8, 8) if self.is_big else self.number(data, 4, 4)

    def value(self, data: bytes, entry: Entry) -> int:
        """The first of its values; 0 for what is no whole number."""
        return self.number(data, entry.at, _NUMBERS.get(entry.kind, 0))

    def entries(self, data: bytes, directory: int) -> Iterator[Entry]:
        """The entries of a directory, as far as the file goes. Raises ImageTooBig."""
        order = "<" if self.order == "little" else ">"
        form = struct.Struct(order + ("HHQ" if self.is_big else "HHI"))
        head, step, slot = (8, 20, 8) if self.is_big else (2, 12, 4)
        count = self.number(data, directory, head)
        if count > _MOST_ENTRIES:
            raise ImageTooBig(f"It has {count:,} tags; {_MOST_ENTRIES:,} are accepted.")
        for number in range(count):
            at = directory + head + number * step
            if at + step > len(data):
                return
            tag, kind, values = form.unpack_from(data, at)
            entry = Entry(tag, kind, values, at + form.size)
            if entry.end - entry.at > slot:
                entry = entry._replace(at=self.number(data, entry.at, slot))
            yield entry


def check_tiff(data: bytes) -> None:
    """Judge a TIFF's first directory, and those that are read with it. Raises ImageTooBig."""
    layout = Layout.of(data)
    waiting = [layout.first(data)]
    seen = set(waiting)
    entries = numbers = fractions = 0
    while waiting:
        for entry in layout.entries(data, waiting.pop()):
            entries += 1
            # Nobody reads what lies behind the end: some software leaves such entries.
            if entry.end <= len(data):
                numbers += entry.values if entry.kind in _NUMBERS else 0
                fractions += entry.values if entry.kind in _FRACTIONS else 0
            if entries > _MOST_ENTRIES or numbers > _MOST_NUMBERS or fractions > _MOST_FRACTIONS:
                raise ImageTooBig(
                    f"It has more than {_MOST_ENTRIES:,} tags, or {_MOST_NUMBERS:,} numbers or "
                    f"{_MOST_FRACTIONS:,} fractions in them."
                )
            if entry.tag in _DIRECTORIES and (place := layout.value(data, entry)) not in seen:
                seen.add(place)
                waiting.append(place)


def check_exif(data: bytes) -> None:
    """Judge EXIF, with its own head or without. Raises ImageTooBig."""
    if len(data) > _MOST_EXIF:
        raise ImageTooBig(f"The EXIF has {len(data):,} bytes; {_MOST_EXIF:,} are accepted.")
    # Pillow forgives a second one.
    check_tiff(data.removeprefix(b"Exif\0\0").removeprefix(b"Exif\0\0"))
