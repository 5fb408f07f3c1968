"""What a result's name ends in: as it will be, most likely, and as it is."""

from pathlib import Path

from contracts.outputs import Format, Output

# What a gateway makes of a photograph when the format is left open; of all others, a PNG.
_AS_IT_CAME = {
    ".jpg": ".jpg",
    ".jpeg": ".jpg",
    ".webp": ".webp",
    ".avif": ".avif",
    ".heic": ".jpg",
    ".heif": ".jpg",
    ".jxl": ".jpg",
}


def expected(photo: Path, output: Output) -> str:
    """The suffix of the result, if the photograph is what its own suffix says."""
    if isinstance(output.format, Format):
        return suffix_of(f"image/{output.format}")
    return _AS_IT_CAME.get(photo.suffix.lower(), ".png")


def suffix_of(media_type: str) -> str:
    """The suffix that people know a media type by."""
    return "." + media_type.partition("/")[2].replace("jpeg", "jpg")
