"""Read EXIF into typed fields; a value that is broken or out of range is left out."""

import math
from contextlib import suppress
from datetime import datetime
from typing import Any

from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from contracts.details import Place, Shot
from services.imaging.engine.metadata.exif_text import decode_text
from services.imaging.engine.safety.decode_errors import DECODE_ERRORS, ignore_decode_errors

_MAX_TEXT = 200  # letters
_FLASH_FIRED = 1  # bit 0 of Flash
_BELOW_SEA_LEVEL = (1, b"\1")  # values of GPSAltitudeRef


def read_exif(image: Image.Image) -> Image.Exif:
    """The EXIF of an opened image; empty if it can't be read. Decodes no pixel."""
    with ignore_decode_errors():
        # A PNG's own getexif() decodes the image, to look for EXIF behind the pixels.
        return Image.Image.getexif(image)
    return Image.Exif()


def read_shot(image: Image.Image) -> Shot:
    """Return camera, exposure and time of the photograph; every field may be missing."""
    with ignore_decode_errors():
        exif = read_exif(image)
        camera = exif.get_ifd(IFD.Exif)
        flash = _integer(camera.get(Base.Flash))
        return Shot(
            make=printable_text(exif.get(Base.Make)),
            model=printable_text(exif.get(Base.Model)),
            lens=printable_text(camera.get(Base.LensModel)),
            taken_at=_time(camera.get(Base.DateTimeOriginal), camera.get(Base.OffsetTimeOriginal)),
            exposure=_number(camera.get(Base.ExposureTime)),
            aperture=_number(camera.get(Base.FNumber)),
            iso=_integer(camera.get(Base.ISOSpeedRatings)),
            focal_length=_number(camera.get(Base.FocalLength)),
            focal_length_35mm=_number(camera.get(Base.FocalLengthIn35mmFilm)),
            flash=None if flash is None else bool(flash & _FLASH_FIRED),
            software=printable_text(exif.get(Base.Software)),
            artist=printable_text(exif.get(Base.Artist)),
            copyright=printable_text(exif.get(Base.Copyright)),
            description=printable_text(exif.get(Base.ImageDescription)),
        )
    return Shot()


def read_place(image: Image.Image) -> Place | None:
    """Return the photograph's place, in degrees and metres; None without both coordinates."""
    with ignore_decode_errors():
        gps = read_exif(image).get_ifd(IFD.GPSInfo)
        latitude = _degrees(gps.get(GPS.GPSLatitude), gps.get(GPS.GPSLatitudeRef), "S")
        longitude = _degrees(gps.get(GPS.GPSLongitude), gps.get(GPS.GPSLongitudeRef), "W")
        altitude = _number(gps.get(GPS.GPSAltitude))
        if altitude is not None and gps.get(GPS.GPSAltitudeRef) in _BELOW_SEA_LEVEL:
            altitude = -altitude
        if latitude is not None and longitude is not None:
            return Place(latitude=latitude, longitude=longitude, altitude=altitude)
    return None


def printable_text(value: Any) -> str | None:
    """The printable letters of a text or bytes, at most 200; None if none is left."""
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    if not isinstance(value, str):
        return None
    printable = "".join(letter for letter in decode_text(value) if letter.isprintable()).strip()
    return printable[:_MAX_TEXT] or None


def _number(value: Any) -> float | None:
    with suppress(*DECODE_ERRORS):
        number = float(value)
        if math.isfinite(number) and 0 <= number < 1e9:
            return round(number, 6)
    return None


def _integer(value: Any) -> int | None:
    if isinstance(value, tuple) and value:
        value = value[0]
    return value if isinstance(value, int) and 0 <= value < 2**31 else None


def _time(value: Any, offset: Any) -> str | None:
    """ISO 8601, with an offset from UTC if the camera wrote one."""
    local = _parsed(printable_text(value) or "", "%Y:%m:%d %H:%M:%S")
    if local is None:
        return None
    zone = _parsed(printable_text(offset) or "", "%z")
    return (local.replace(tzinfo=zone.tzinfo) if zone else local).isoformat()


def _parsed(value: str, pattern: str) -> datetime | None:
    try:
        return datetime.strptime(value, pattern)
    except ValueError:
        # A camera whose clock was never set writes zeros.
        return None


def _degrees(value: Any, side: Any, negative_side: str) -> float | None:
    """Degrees, minutes and seconds as one number, below 0 on the negative side."""
    if not isinstance(value, tuple) or len(value) != 3:
        return None
    parts = [_number(part) for part in value]
    if None in parts:
        return None
    degrees = sum((part or 0.0) / float(60**power) for power, part in enumerate(parts))
    return round(-degrees if printable_text(side) == negative_side else degrees, 7)
