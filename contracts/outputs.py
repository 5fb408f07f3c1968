"""Encoding of a result: format, quality, metadata, colour profile."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from contracts.fields import Expected
from contracts.formats import AUTO_FORMATS, Format, format_as_it_came, format_of_suffix
from contracts.message import Message


class Chroma(StrEnum):
    """Chroma subsampling: full resolution, half of the columns, or half of columns and rows."""

    FULL = "444"
    HALF = "422"
    QUARTER = "420"


class Metadata(StrEnum):
    """The part of the source's metadata that a result keeps."""

    STRIP = "strip"
    COPYRIGHT = "copyright"
    KEEP = "keep"


class Profile(StrEnum):
    """Treatment of the source's colour profile."""

    SRGB = "srgb"
    KEEP = "keep"


AUTO: Literal["auto"] = "auto"

_FORMAT_FIELDS = ("lossless", "progressive", "chroma", "palette")
"""Fields that only some formats support. `FormatSpec` has an attribute of each name."""


def _formats(*having: str, lacking: str | None = None) -> str:
    """Return the names of the formats by attributes of their `FormatSpec`: set, and not set."""
    return ", ".join(
        sorted(
            format
            for format in Format
            if all(getattr(format.spec, one) for one in having)
            and not (lacking and getattr(format.spec, lacking))
        )
    )


def _in_order(among: tuple[Format, ...]) -> tuple[Format, ...]:
    others = [format for format in among if format not in AUTO_FORMATS]
    if others:
        raise PydanticCustomError("among", f"Input should be of {', '.join(AUTO_FORMATS)}")
    return tuple(format for format in AUTO_FORMATS if format in among)


class Output(Message):
    """Encoding of a result: its format, and the options of the format.

    A field that the named format does not support is an error, except for `quality`, `metadata`
    and `icc`, which are ignored then. If the format is left to the service, all such fields are
    ignored, except for `lossless`: a format that is always lossy is an error then.

    `palette` and `lossless` exclude each other. `among` needs the format `auto`.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"format": "webp", "quality": 80},
                {"format": "jpeg", "progressive": True, "max_bytes": 50_000},
                {"format": "png", "palette": 64},
                {"format": "auto", "quality": "auto", "metadata": "copyright"},
            ]
        }
    )

    format: Annotated[
        Annotated[
            Format | Literal["auto"],
            Expected(f"Input should be one of {', '.join(Format)}, or auto"),
        ]
        | None,
        Field(
            description=f"Left out: the source's format, for {_formats('kept')} and animated gif. "
            f"Of other sources, {_formats('quality', lacking='kept')} become jpeg (png if "
            "transparent or lossless), and the rest png. auto: the smallest result among the "
            "formats in among; if that is empty, a jpeg, png or gif, depending on the image. "
            f"A worker needs an extra package for each of: {_formats('package')}. A file's suffix "
            "names its format, too: jpg means jpeg."
        ),
    ] = None
    among: Annotated[
        tuple[Format, ...],
        AfterValidator(_in_order),
        Field(
            description=f"The formats that auto tries: any of {', '.join(AUTO_FORMATS)}. For a "
            "query, the gateway fills in those that the request's Accept prefers; "
            f"{_formats('needs_accept')} only if Accept names it. Each format is encoded, and "
            "the smallest result is taken. An image of 256 colours or fewer is also tried "
            "without loss; for more colours, png is only used if it is the only one. For an "
            f"animation, only these are tried: {_formats('auto_rank', 'animated', 'quality')}. The "
            "first possible format is taken without a comparison if the result has to fit into "
            "max_bytes, or if an animation has more than 50 million pixels, all frames together.",
            json_schema_extra={"items": {"type": "string", "enum": list(AUTO_FORMATS)}},
        ),
    ] = ()
    quality: Annotated[
        Annotated[int, Field(ge=1, le=100)] | Literal["auto"],
        Expected("Input should be 1 to 100, or auto"),
        Field(
            description="1 to 100, for lossy formats; others ignore it. auto: the lowest quality "
            "from 40 to 95 with a structural similarity (SSIM) to the original of 0.96."
        ),
    ] = 80
    lossless: Annotated[
        bool,
        Field(
            description="Keep every pixel, in the eight bits a channel that all results have. "
            f"For {_formats('lossless')}."
        ),
    ] = False
    max_bytes: Annotated[
        int | None,
        Field(
            title="Maximum size",
            ge=1,
            le=1_000_000_000,
            description="Maximum size of the result in bytes. The quality is lowered until the "
            "result fits; a result that is still larger is an error.",
            json_schema_extra={"x-unit": "bytes"},
        ),
    ] = None
    progressive: Annotated[
        bool,
        Field(
            description="Show a coarse image first, which becomes finer while it loads. "
            f"For {_formats('progressive')}."
        ),
    ] = False
    chroma: Annotated[
        Chroma | None,
        Field(
            description=f"Chroma subsampling, for {_formats('chroma')}. Left out: 420.",
            json_schema_extra={"title": "Chroma subsampling"},
        ),
    ] = None
    palette: Annotated[
        int | None,
        Field(
            title="Colours",
            ge=2,
            le=256,
            description=f"Maximum number of colours, for {_formats('palette')}.",
        ),
    ] = None
    metadata: Annotated[
        Metadata,
        Field(
            description="keep: EXIF, including the location, and XMP. copyright: only the names of "
            "artist and copyright holder. If EXIF lacks these names, both take them from XMP "
            "(dc:creator, dc:rights) or IPTC-IIM (2:80, 2:116), and write them as EXIF; nothing "
            "else of IPTC-IIM is kept. Orientation, thumbnails and maker notes are never kept. "
            f"No metadata is written to: {_formats(lacking='metadata')}. A tiff holds no camera "
            "settings and no location. A jpeg holds 64 KiB of EXIF and of XMP: the longest fields "
            "of EXIF are left out until it fits, and longer XMP is left out. XMP of more than 4 MB "
            "is always left out. The XMP of a jxl is not read."
        ),
    ] = Metadata.STRIP
    icc: Annotated[
        Profile,
        Field(
            description="srgb: convert colours to sRGB. keep: keep colours and profile, except "
            f"in {_formats(lacking='icc')}, which has no profile and gets sRGB. A source with a "
            "gray profile also gets sRGB if its result is animated or may be "
            f"{_formats(lacking='gray')}.",
            json_schema_extra={"title": "Colour profile"},
        ),
    ] = Profile.SRGB
    animated: Annotated[
        bool,
        Field(
            description="Keep an animation, with its number of repetitions, if the format holds "
            f"animations ({_formats('animated')}). false: use its first frame."
        ),
    ] = True

    @model_validator(mode="after")
    def _fits_its_format(self) -> Self:
        if self.among and self.format != AUTO:
            raise PydanticCustomError("output", "among: it is for auto")
        if isinstance(self.format, Format):
            for field in _FORMAT_FIELDS:
                if getattr(self, field) and not getattr(self.format.spec, field):
                    raise PydanticCustomError(
                        "output",
                        f"{field}: {self.format} has none; it is for {_formats(field)}",
                    )
        if self.lossless and self.palette:
            raise PydanticCustomError("output", "palette: fewer colours are not lossless")
        return self

    @property
    def may_be_animated(self) -> bool:
        """True if the result of an animation is an animation."""
        if not self.animated:
            return False
        return not isinstance(self.format, Format) or self.format.spec.animated

    def expected_suffix(self, source_suffix: str) -> str:
        """Return the likely file suffix of a result, by the suffix of its source, such as `.jpg`.

        The result may get another one: a source's bytes may be of another format than its suffix.
        """
        if isinstance(self.format, Format):
            return self.format.spec.suffixes[0]
        return format_as_it_came(format_of_suffix(source_suffix)).spec.suffixes[0]
