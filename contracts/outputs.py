"""What comes out: the formats, and how a result is encoded."""

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from contracts.formats import AUTO_FORMATS, Format, format_as_it_came, format_of_suffix
from contracts.message import Message


class Chroma(StrEnum):
    """How many of the colours are kept: all, every second column, or every second row as well."""

    FULL = "444"
    HALF = "422"
    QUARTER = "420"


class Metadata(StrEnum):
    """What is kept of what the source says about itself."""

    STRIP = "strip"
    COPYRIGHT = "copyright"
    KEEP = "keep"


class Profile(StrEnum):
    """What happens to colours that a profile gives a meaning."""

    SRGB = "srgb"
    KEEP = "keep"


AUTO: Literal["auto"] = "auto"

_OPTIONAL_FIELDS = ("lossless", "progressive", "chroma", "palette")
"""Fields that a format may have no use for. `FormatSpec` has an attribute of each name."""

_NUMBER = TypeAdapter[int](Annotated[int, Field(ge=1, le=100)])


def _quality(value: Any) -> int | str:
    if value == AUTO:
        return AUTO
    try:
        return _NUMBER.validate_python(value)
    except ValidationError as exc:
        raise PydanticCustomError("quality", "Input should be 1 to 100, or auto") from exc


def _format(value: Any) -> Format | str | None:
    if value is None or value == AUTO:
        return value  # type: ignore[no-any-return]
    try:
        return Format(value)
    except ValueError as exc:
        known = ", ".join(Format)
        raise PydanticCustomError("format", f"Input should be one of {known}, or auto") from exc


def _in_order(among: tuple[Format, ...]) -> tuple[Format, ...]:
    others = [format for format in among if format not in AUTO_FORMATS]
    if others:
        raise PydanticCustomError("among", f"Input should be of {', '.join(AUTO_FORMATS)}")
    return tuple(format for format in AUTO_FORMATS if format in among)


def _formats_with(field: str) -> str:
    return ", ".join(sorted(format for format in Format if getattr(format.spec, field)))


class Output(Message):
    """How the result is encoded.

    A field that the format has no use for is refused. Where the format is left open, it is passed
    over instead, but for `lossless`.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"format": "webp", "quality": 80},
                {"format": "jpeg", "progressive": True, "max_bytes": 50_000},
            ]
        }
    )

    format: Annotated[
        Format | Literal["auto"] | None,
        BeforeValidator(_format),
        Field(
            description="Left out: as the source came, if it was a jpeg, png, webp or avif or an "
            "animated gif; of others, jpeg of heif and jxl, else png. auto: the smallest of "
            "those in among; where that is empty, a jpeg, png or gif by the image. jxl and heif "
            "need a worker that has them."
        ),
    ] = None
    among: Annotated[
        tuple[Format, ...],
        AfterValidator(_in_order),
        Field(
            description="What auto chooses from: avif, webp, jpeg and png; of a query, the ones "
            "that the request's Accept likes best, avif and webp only where it names them. Each is "
            "made, and the smallest taken: a picture of 256 colours or less without loss, too, and "
            "of more no png beside the others; of what moves, avif and webp. What has to fit into "
            "max_bytes, or moves and has more than 50 million pixels, all frames together, is the "
            "first of them that can be had."
        ),
    ] = ()
    quality: Annotated[
        int | Literal["auto"],
        BeforeValidator(_quality),
        Field(
            description="1 to 100, for lossy formats; the others have no use for it. auto: the "
            "lowest from 40 to 95 that looks like the original, a structural similarity (SSIM) of "
            "0.96."
        ),
    ] = 80
    lossless: Annotated[
        bool,
        Field(
            description="Every pixel as it is, in eight bits a channel, which all results have: "
            "png, webp, tiff and jxl."
        ),
    ] = False
    max_bytes: Annotated[
        int | None,
        Field(
            ge=1,
            le=1_000_000_000,
            description="The most that the result may take: the quality is lowered until it fits.",
        ),
    ] = None
    progressive: Annotated[
        bool, Field(description="A jpeg that is coarse at first, and gets better as it loads.")
    ] = False
    chroma: Annotated[
        Chroma | None,
        Field(description="Chroma subsampling, for jpeg, avif and heif. Left out: 420."),
    ] = None
    palette: Annotated[
        int | None, Field(ge=2, le=256, description="So many colours at most, for png and gif.")
    ] = None
    metadata: Annotated[
        Metadata,
        Field(
            description="keep: EXIF, its place included, and XMP. copyright: the names of artist "
            "and copyright holder alone. Where EXIF does not have these, both take them from XMP "
            "(dc:creator, dc:rights), or else from IPTC-IIM (2:80, 2:116), of which nothing else "
            "is kept; they are written as EXIF. How an image lies, thumbnails and a maker's notes "
            "are never kept. A gif holds none of it, a tiff not how and where it was taken, and a "
            "jpeg 64 KiB of each: longer XMP is left out (over 4 MB always), and of longer EXIF "
            "the longest fields."
        ),
    ] = Metadata.STRIP
    icc: Annotated[
        Profile,
        Field(
            description="srgb: colours become sRGB. keep: they stay, and so does the profile. "
            "sRGB all the same are a gif and a jxl, which are written without one, and with a "
            "profile of gray what moves or may be a webp: these are written in colour."
        ),
    ] = Profile.SRGB
    animated: Annotated[
        bool,
        Field(
            description="Whether an animation stays one, where the format holds it. How often it "
            "is played stays as well."
        ),
    ] = True

    @model_validator(mode="after")
    def _fits_its_format(self) -> Self:
        if self.among and self.format != AUTO:
            raise PydanticCustomError("output", "among: it is for auto")
        if isinstance(self.format, Format):
            for field in _OPTIONAL_FIELDS:
                if getattr(self, field) and not getattr(self.format.spec, field):
                    raise PydanticCustomError(
                        "output",
                        f"{field}: {self.format} has none; it is for {_formats_with(field)}",
                    )
        if self.lossless and self.palette:
            raise PydanticCustomError("output", "palette: fewer colours are not lossless")
        return self

    def expected_suffix(self, source_suffix: str) -> str:
        """Return the likely file suffix of a result, by the suffix of its source, such as `.jpg`.

        The result may get another one: a source's bytes may be of another format than its suffix.
        """
        if isinstance(self.format, Format):
            return self.format.spec.suffixes[0]
        return format_as_it_came(format_of_suffix(source_suffix)).spec.suffixes[0]
