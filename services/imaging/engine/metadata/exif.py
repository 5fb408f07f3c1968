"""What EXIF says of a photograph, as typed fields; what is broken or absurd is left out."""

import math
from contextlib import suppress
from datetime import datetime
from typing import Any

from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from contracts.details import Place, Shot
from services.imaging.engine.metadata.exif_text import decode_text
from services.imaging.engine.safety.decode_errors import DECODE_ERRORS

_LONGEST = 200
_FIRED = 1


def read_shot(image: Image.Image) -> Shot:
    """How the photograph was taken; every field may be missing."""
    with suppress(*DECODE_ERRORS):
        # A PNG's own getexif() decodes the image, to look for EXIF behind the pixels.
        found = Image.Image.getexif(image)
        more = found.get_ifd(IFD.Exif)
        flash = _whole(more.get(Base.Flash))
        return Shot(
            make=text(found.get(Base.Make)),
            model=text(found.get(Base.Model)),
            lens=text(more.get(Base.LensModel)),
            taken_at=_time(more.get(Base.DateTimeOriginal), more.get(Base.OffsetTimeOriginal)),
            exposure=_number(more.get(Base.ExposureTime)),
            aperture=_number(more.get(Base.FNumber)),
            iso=_whole(more.get(Base.ISOSpeedRatings)),
            focal_length=_number(more.get(Base.FocalLength)),
            focal_length_35mm=_number(more.get(Base.FocalLengthIn35mmFilm)),
            flash=None if flash is None else bool(flash & _FIRED),
            software=text(found.get(Base.Software)),
            artist=text(found.get(Base.Artist)),
            copyright=text(found.get(Base.Copyright)),
            description=text(found.get(Base.ImageDescription)),
        )
    return Shot()


def read_place(image: Image.Image) -> Place | None:
    """Where the photograph was taken, if it says so."""
    with suppress(*DECODE_ERRORS):
        found = Image.Image.getexif(image).get_ifd(IFD.GPSInfo)
        latitude = _degrees(found.get(GPS.GPSLatitude), found.get(GPS.GPSLatitudeRef), "S")
        longitude = _degrees(found.get(GPS.GPSLongitude), found.get(GPS.GPSLongitudeRef), "W")
        altitude = _number(found.get(GPS.GPSAltitude))
        if altitude is not None and found.get(GPS.GPSAltitudeRef) in (1, b"\1"):
            altitude = -altitude
        if latitude is not None and longitude is not None:
            return Place(latitude=latitude, longitude=longitude, altitude=altitude)
    return None


def text(value: Any) -> str | None:
    """A text without what can't be shown, or None for an empty one."""
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    if not isinstance(value, str):
        return None
    shown = "".join(letter for letter in decode_text(value) if letter.isprintable()).strip()
    return shown[:_LONGEST] or None


def _number(value: Any) -> float | None:
    with suppress(*DECODE_ERRORS):
        number = float(value)
        if math.isfinite(number) and 0 <= number < 1e9:
            return round(number, 6)
    return None


def _whole(value: Any) -> int | None:
    if isinstance(value, tuple) and value:
        value = value[0]
    return value if isinstance(value, int) and 0 <= value < 2**31 else None


def _time(value: Any, offset: Any) -> str | None:
    local = _parsed(text(value) or "", "%Y:%m:%d %H:%M:%S")
    if local is None:
        return None
    zone = _parsed(text(offset) or "", "%z")
    return (local.replace(tzinfo=zone.tzinfo) if zone else local).isoformat()


def _parsed(value: str, pattern: str) -> datetime | None:
    try:
        return datetime.strptime(value, pattern)
    except ValueError:
        # A camera whose clock was never set writes zeros.
        return None


def _degrees(value: Any, side: Any, negative: str) -> float | None:
    if not isinstance(value, tuple) or len(value) != 3:
        return None
    parts = [_number(part) for part in value]
    if None in parts:
        return None
    degrees = sum((part or 0.0) / float(60**power) for power, part in enumerate(parts))
    return round(-degrees if text(side) == negative else degrees, 7)
