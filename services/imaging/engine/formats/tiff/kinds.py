"""Kinds of samples in a TIFF, the reader of each kind, and names of the kinds without a reader.

TIFF 6.0, sections 3, 8, 14, 16, 18 and 19; TIFF Technical Note 3 (floating-point predictor).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from PIL.TiffImagePlugin import II, OPEN_INFO, ImageFileDirectory_v2

from contracts.errors import ImageUnreadable, UnsupportedFormat

_GRAY_INVERTED, _GRAY, _RGB, _CMYK, _LAB = 0, 1, 2, 5, 8
_PHOTOMETRICS = {
    _GRAY_INVERTED: "gray", _GRAY: "gray", _RGB: "RGB", 3: "palette", 4: "mask", _CMYK: "CMYK",
    6: "YCbCr", _LAB: "CIELab", 9: "ICCLab", 10: "ITULab", 32_803: "raw camera",
    32_844: "LogL", 32_845: "LogLuv", 34_892: "raw camera",
}  # fmt: skip
_BANDS = {_GRAY_INVERTED: 1, _GRAY: 1, _RGB: 3, _CMYK: 4, _LAB: 3}
_UNSIGNED, _SIGNED, _FLOAT, _UNDEFINED = 1, 2, 3, 4
_SAMPLE_FORMATS = {
    0: " mixed", _SIGNED: " signed", _FLOAT: " floating-point", 5: " complex", 6: " complex",
}  # fmt: skip

_JPEG = (6, 7)
_BILEVEL = (2, 3, 4)
_GENERAL = (1, 5, 8, 32_773, 32_946, 34_925, 50_000)  # raw to Zstandard: of any samples
_COMPRESSIONS = {
    32_809: "ThunderScan", 34_676: "SGI LogLuv", 34_677: "SGI LogLuv 24", 34_661: "JBIG",
    34_712: "JPEG 2000", 33_003: "JPEG 2000", 33_005: "JPEG 2000", 34_887: "LERC",
    34_892: "lossy JPEG", 34_933: "PNG", 34_934: "JPEG XR", 50_001: "WebP", 50_002: "JPEG XL",
    52_546: "JPEG XL",
}  # fmt: skip
_NO_PREDICTOR, _HORIZONTAL, _FLOATING = 1, 2, 3

# Pillow's modes and raw modes for samples in the byte order of the processor.
_MODES = {
    (8, _UNSIGNED): ("L", "L"),
    (8, _UNDEFINED): ("L", "L"),
    (8, _SIGNED): ("I", "I;8S"),
    (12, _UNSIGNED): ("I;16", "I;12"),
    (16, _UNSIGNED): ("I", "I;16N"),
    (16, _UNDEFINED): ("I", "I;16N"),
    (16, _SIGNED): ("I", "I;16NS"),
    (16, _FLOAT): ("I", "I;16NS"),  # its bits; `samples.py` makes numbers of them
    (32, _UNSIGNED): ("I", "I"),
    (32, _UNDEFINED): ("I", "I"),
    (32, _SIGNED): ("I", "I"),
    (32, _FLOAT): ("F", "F"),
    (64, _FLOAT): ("F", "F;64NF"),
}


@dataclass(frozen=True)
class Kind:
    """The samples of a TIFF's directory."""

    photometric: int
    bits: tuple[int, ...]  # of each sample of a pixel
    sample_format: int  # 1 unsigned, 2 signed, 3 floating-point, 4 undefined: unsigned; 0 mixed
    extra: tuple[int, ...]  # ExtraSamples: 0 unspecified, 1 premultiplied alpha, 2 alpha
    is_planar: bool
    compression: int
    predictor: int
    prefix: bytes  # II or MM
    fill_order: int

    @classmethod
    def of(cls, tags: ImageFileDirectory_v2) -> Self:
        """Return the kind that a directory's tags name. Raises UnsupportedFormat by name."""
        compression = _number(tags, 259, 1)
        is_old_jpeg = compression == _JPEG[0]
        photometric = 6 if is_old_jpeg else _number(tags, 262, _GRAY_INVERTED)
        samples = _number(tags, 277, 3 if is_old_jpeg else 1)
        bits = _numbers(tags, 258, (1,))
        formats = set(_numbers(tags, 339, (_UNSIGNED,)))
        found = cls(
            photometric=photometric,
            bits=(bits * samples if len(bits) == 1 and samples <= 16 else bits)[:samples],
            sample_format=formats.pop() if len(formats) == 1 else 0,
            extra=_numbers(tags, 338, ()),
            is_planar=_number(tags, 284, 1) == 2,
            compression=compression,
            predictor=_number(tags, 317, _NO_PREDICTOR),
            prefix=tags.prefix,
            fill_order=_number(tags, 266, 1),
        )
        if not found.is_read_by_pillow and not found.is_read_by_samples:
            raise UnsupportedFormat(f"The TIFF has {found}. Darkroom can't read this kind of TIFF.")
        return found

    def __str__(self) -> str:
        colours = _PHOTOMETRICS.get(self.photometric, f"photometric {self.photometric}")
        bits = "/".join(map(str, sorted(set(self.bits))))
        sample = f"{bits}-bit{_SAMPLE_FORMATS.get(self.sample_format, '')}"
        extra = f" and {len(self.extra)} extra" if self.extra else ""
        packed = _COMPRESSIONS.get(self.compression, f"code {self.compression}")
        known = self.compression in (*_GENERAL, *_JPEG, *_BILEVEL)
        predictor = f", with predictor {self.predictor}" if self.predictor > 1 else ""
        compressed = "" if known else f", compressed as {packed}"
        return f"{sample} {colours} samples{extra}{predictor}{compressed}"

    @property
    def is_read_by_pillow(self) -> bool:
        """True if Pillow 13.0 reads such samples correctly.

        It exchanges the bytes of 16-bit planes, of compressed big-endian numbers and of alpha in
        planes, does not invert 16-bit gray, and takes 12 bits for 16.
        """
        if self.sample_format != _UNSIGNED or not set(self.bits) <= {1, 2, 4, 8, 16}:
            return False
        if self.compression not in (*_GENERAL, *_JPEG, *_BILEVEL):
            return False
        if set(self.bits) == {16} and (self.is_planar or self.photometric not in (_RGB, _CMYK)):
            return False
        if self.is_planar and (self.photometric == _LAB or self.extra):
            return False
        key = (self.prefix, self.photometric, (1,), self.fill_order, self.bits, self.extra)
        return key in OPEN_INFO

    @property
    def is_read_by_samples(self) -> bool:
        """True if `samples.py` reads such samples."""
        return (
            len(set(self.bits)) == 1
            and (self.bits[0], self.sample_format) in _MODES
            and self.photometric in _BANDS
            and (self.photometric != _LAB or self.bits[0] == 8)
            and self.compression in _GENERAL
            and self.modes is not None
            and self._predictor_is_read
        )

    @property
    def _predictor_is_read(self) -> bool:
        if self.predictor == _NO_PREDICTOR or self.samples_inside == 1:
            return True
        if self.predictor == _HORIZONTAL:
            return self.bits[0] in (8, 16) and self.sample_format == _UNSIGNED
        return self.predictor == _FLOATING and self.bits[0] in (16, 32)

    @property
    def samples_inside(self) -> int:
        """Number of samples of a pixel that stand side by side in a strip."""
        return 1 if self.is_planar else len(self.bits)

    @property
    def used(self) -> int:
        """Number of samples of a pixel that are read; further separate planes are left out."""
        if not self.is_planar:
            return len(self.bits)
        alpha = self.extra[:1] in ((1,), (2,))
        return min(len(self.bits), _BANDS.get(self.photometric, 0) + alpha)

    @property
    def is_inverted(self) -> bool:
        """True if the largest number is black."""
        return self.photometric == _GRAY_INVERTED

    @property
    def is_half(self) -> bool:
        """True if samples are floating-point numbers of 16 bits."""
        return (self.bits[0], self.sample_format) == (16, _FLOAT)

    @property
    def is_signed(self) -> bool:
        """True if samples are signed integers."""
        return self.sample_format == _SIGNED

    @property
    def sample_modes(self) -> tuple[str, str]:
        """Pillow's mode and raw mode of one sample."""
        return _MODES[self.bits[0], self.sample_format]

    @property
    def modes(self) -> tuple[str, str] | None:
        """Pillow's mode and raw mode of pixels whose samples have become 8 bits each."""
        photometric = _GRAY if self.is_inverted else self.photometric
        extra = self.extra[: self.used - _BANDS.get(photometric, 0)]
        return OPEN_INFO.get((II, photometric, (1,), 1, (8,) * self.used, extra))


def number(tags: Mapping[int, Any], tag: int) -> int:
    """Return the number of a tag that every TIFF has. Raises ImageUnreadable."""
    return _number(tags, tag, 0)


def _numbers(tags: Mapping[int, Any], tag: int, default: tuple[int, ...]) -> tuple[int, ...]:
    value = tags.get(tag, default)
    values = value if isinstance(value, tuple) else (value,)
    if not all(isinstance(one, int) for one in values):
        raise ImageUnreadable(f"The tag {tag} of the TIFF is no number.")
    return values


def _number(tags: Mapping[int, Any], tag: int, default: int) -> int:
    return (_numbers(tags, tag, (default,)) or (default,))[0]
