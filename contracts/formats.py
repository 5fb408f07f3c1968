"""The image formats: one row each, from which everything else about a format is derived.

The JSON schema of `Format` carries the rows as `x-formats`, for pages and other clients.
`docs/contribute/format.md` lists the steps for a new format.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import GetJsonSchemaHandler
from pydantic.config import JsonDict
from pydantic_core import CoreSchema


@dataclass(frozen=True)
class FormatSpec:
    """Properties of an image format: how to recognise a file, and what a result may hold."""

    title: str
    """Name for people."""
    media_type: str
    """Media type, as in Content-Type."""
    suffixes: tuple[str, ...]
    """File name suffixes in lower case, with the dot. Results get the first one."""
    magic: bytes
    """Regular expression (with DOTALL) that the beginning of each file matches."""

    quality: bool = False
    """Can be lossy, and has a quality from 1 to 100 then."""
    lossless: bool = False
    """Can keep every pixel, in eight bits a channel."""
    progressive: bool = False
    """Can be stored so that a coarse image appears before the whole file has arrived."""
    chroma: bool = False
    """Has a choice of chroma subsampling."""
    palette: bool = False
    """Can limit the number of colours."""
    animated: bool = False
    """Can hold an animation."""
    alpha: bool = True
    """Can hold transparency. Without it, transparent pixels of a result become white."""
    gray: bool = True
    """Can hold a still image of one channel. Without it, gray is stored as colour."""
    icc: bool = True
    """Can hold a colour profile, and is written with one."""
    metadata: bool = True
    """Can hold EXIF and XMP, and is written with them."""
    max_side: int | None = None
    """Longest side in pixels, where the format itself has a limit."""

    kept: bool = False
    """A still result stays in this format where the output names none."""
    auto_rank: int | None = None
    """Position among the formats that `auto` chooses from, starting at 1."""
    needs_accept: bool = False
    """`auto` chooses it only where the request's Accept names its media type: many clients send
    `*/*` and cannot show it."""

    package: str | None = None
    """Import name of the package that adds the format to Pillow, by an extra of the same name as
    the format."""
    decoder_copies: int = 0
    """Copies of all pixels that the decoder holds, roughly: more copies, fewer pixels accepted."""

    def matches(self, data: bytes) -> bool:
        """Tell whether `data` begins like a file of this format."""
        return re.match(self.magic, data, re.DOTALL) is not None

    def public(self) -> JsonDict:
        """Return the properties that concern clients, for the JSON schema."""
        return {
            "title": self.title,
            "media_type": self.media_type,
            "suffixes": list(self.suffixes),
            "quality": self.quality,
            "lossless": self.lossless,
            "progressive": self.progressive,
            "chroma": self.chroma,
            "palette": self.palette,
            "animated": self.animated,
            "alpha": self.alpha,
            "icc": self.icc,
            "metadata": self.metadata,
            "auto": self.auto_rank is not None,
            "optional": self.package is not None,
        }


class Format(StrEnum):
    """An image format that is read and written. Pillow knows it by the same name."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    AVIF = "avif"
    GIF = "gif"
    TIFF = "tiff"
    JXL = "jxl"
    HEIF = "heif"

    @classmethod
    def _missing_(cls, value: object) -> "Format | None":
        """Return the format that a file's suffix names: `jpg` means jpeg, `heic` means heif."""
        return format_of_suffix(f".{value}") if isinstance(value, str) else None

    @property
    def spec(self) -> FormatSpec:
        """The row of this format."""
        return FORMATS[self]

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Add the table to the JSON schema, as `x-formats`."""
        described = handler(schema)
        handler.resolve_ref_schema(described)["x-formats"] = [
            {"name": format.value, **spec.public()} for format, spec in FORMATS.items()
        ]
        return described


FORMATS: Mapping[Format, FormatSpec] = {
    Format.JPEG: FormatSpec(
        "JPEG",
        "image/jpeg",
        (".jpg", ".jpeg"),
        rb"\xff\xd8\xff",
        quality=True,
        progressive=True,
        chroma=True,
        alpha=False,
        kept=True,
        auto_rank=3,
    ),
    Format.PNG: FormatSpec(
        "PNG",
        "image/png",
        (".png",),
        rb"\x89PNG\r\n\x1a\n",
        lossless=True,
        palette=True,
        animated=True,
        kept=True,
        auto_rank=4,
    ),
    Format.WEBP: FormatSpec(
        "WebP",
        "image/webp",
        (".webp",),
        rb"RIFF.{4}WEBP",
        quality=True,
        lossless=True,
        animated=True,
        gray=False,
        max_side=16_383,
        kept=True,
        auto_rank=2,
        needs_accept=True,
        decoder_copies=1,
    ),
    Format.AVIF: FormatSpec(
        "AVIF",
        "image/avif",
        (".avif",),
        rb".{4}ftyp(?:.{4}.{4}.{0,32}?)?avi[fs]",
        quality=True,
        chroma=True,
        animated=True,
        kept=True,
        auto_rank=1,
        needs_accept=True,
        decoder_copies=1,
    ),
    Format.GIF: FormatSpec(
        "GIF",
        "image/gif",
        (".gif",),
        rb"GIF8[79]a",
        palette=True,
        animated=True,
        icc=False,
        metadata=False,
        max_side=65_535,
    ),
    Format.TIFF: FormatSpec(
        "TIFF", "image/tiff", (".tiff", ".tif"), rb"II[*+]\0|MM\0[*+]|II\0\*|MM\*\0", lossless=True
    ),
    Format.JXL: FormatSpec(
        "JPEG XL",
        "image/jxl",
        (".jxl",),
        rb"\0\0\0\x0cJXL |\xff\x0a",
        # pillow-jxl-plugin 1.3.8 writes no profile.
        quality=True,
        lossless=True,
        icc=False,
        package="pillow_jxl",
        decoder_copies=2,
    ),
    Format.HEIF: FormatSpec(
        "HEIF",
        "image/heif",
        (".heif", ".heic"),
        rb".{4}ftyp(?:hei[cxms]|hev[cxms]|.{0,36}?hei[cx])",
        quality=True,
        chroma=True,
        package="pillow_heif",
        decoder_copies=1,
    ),
}
"""The table: one row for each format."""

AUTO_FORMATS = tuple(
    sorted(
        (format for format in Format if format.spec.auto_rank),
        key=lambda format: format.spec.auto_rank or 0,
    )
)
"""Formats that `auto` chooses from, the newest first."""


def format_of_suffix(suffix: str) -> Format | None:
    """Return the format of files with this suffix, such as `.jpg`; None for other suffixes."""
    return next((format for format in Format if suffix.lower() in format.spec.suffixes), None)


def format_of_bytes(data: bytes) -> Format | None:
    """Return the format that a file's first bytes announce; None for bytes of no known format."""
    return next((format for format in Format if format.spec.matches(data)), None)


def format_of_media_type(media_type: str) -> Format | None:
    """Return the format of files with this media type; None for another media type."""
    return _BY_MEDIA_TYPE.get(media_type)


_BY_MEDIA_TYPE = {format.spec.media_type: format for format in Format}


def suffix_of(media_type: str) -> str:
    """Return the suffix of files with this media type; of an unknown `image/new`, `.new`."""
    known = format_of_media_type(media_type)
    return known.spec.suffixes[0] if known else "." + media_type.partition("/")[2]


def format_as_it_came(source: Format | None, *, transparent: bool = False) -> Format:
    """Return the format of a still result whose output names none, by the source's format.

    Formats that browsers show are kept. A photograph in another format becomes a JPEG, or a PNG
    if something in it is transparent; everything else becomes a PNG.
    """
    if source is None or (not source.spec.kept and not source.spec.quality):
        return Format.PNG
    if source.spec.kept:
        return source
    return Format.PNG if transparent else Format.JPEG
