"""sharp as a reader of what Darkroom writes: pixels, profiles and metadata."""

import base64
import itertools
import json
import struct
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageCms

from bench.exact.decoding.sharp import seen_by_sharp
from bench.exact.encoding.animations import Film, described, films
from bench.exact.encoding.renditions import cases, renditions
from bench.exact.judges import Case, Judge
from bench.exact.needs import SHARP
from contracts.formats import Format
from contracts.operations.notation import parse_pipeline
from contracts.outputs import Metadata, Profile
from services.imaging.engine import pipeline
from tests.imaging.pictures import encoded, scenery

# Its packages have no decoder for HEIF and JPEG XL.
_FORMATS = (Format.JPEG, Format.PNG, Format.WEBP, Format.AVIF, Format.GIF, Format.TIFF)
_ANIMATED = (Format.GIF, Format.WEBP)

_ARTIST, _DESCRIPTION, _ORIENTATION = 0x013B, 0x010E, 0x0112
_OWNER, _SECRET = b"Jane Example", b"A house in a secret place"
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
# Longer than the profile of sRGB itself, which a format may leave out; it begins with its length.
_PROFILE = struct.pack(">I", len(_SRGB) + 64) + _SRGB[4:] + bytes(64)


def _pixels() -> Iterator[Case]:
    written = list(renditions(*_FORMATS))
    return cases(written, seen_by_sharp([(one.name, one.data) for one in written]))


def _metadata() -> Iterator[Case]:
    source = _photograph()
    asked = list(itertools.product(_FORMATS, Metadata, Profile))
    files = [
        pipeline.run(source, parse_pipeline([], format=format, metadata=metadata, icc=icc)).data
        for format, metadata, icc in asked
    ]
    for (format, metadata, icc), seen in zip(asked, _described(files), strict=True):
        name = f"{format}, metadata={metadata}, icc={icc}"
        yield Case(name, _wrong(seen, format, metadata, icc))


def _films() -> Iterator[Case]:
    shown = list(films(*_ANIMATED))
    for film, seen in zip(shown, _described(film.data for film in shown), strict=True):
        found = Film(
            film.name,
            film.data,
            durations=tuple(seen.get("delay") or ()),
            plays=seen.get("loop", 1),
        )
        frames = seen.get("pages", 1)
        yield Case(film.name, described(film, found, frames))


def _wrong(seen: dict[str, Any], format: Format, metadata: Metadata, icc: Profile) -> str | None:
    """Describe what a file holds and should not, or the other way round."""
    exif = base64.b64decode(seen.get("exif") or "")
    profile = base64.b64decode(seen.get("icc") or "")
    size = seen["width"], seen["height"]
    # sharp does not read the tags of a TIFF as EXIF.
    holds = format.spec.metadata and format is not Format.TIFF
    kept = icc is Profile.KEEP and format.spec.icc
    for claim, true in (
        ("a picture of 45 x 67 pixels", size == (45, 67)),
        ("no orientation", seen.get("orientation", 1) == 1),
        ("the owner", (_OWNER in exif) is (holds and metadata is not Metadata.STRIP)),
        ("the description", (_SECRET in exif) is (holds and metadata is Metadata.KEEP)),
        ("the profile", (profile == _PROFILE) is kept),
        ("a profile", bool(profile) is kept),
    ):
        if not true:
            return f"{claim}: not as it was asked for"
    return None


def _photograph() -> bytes:
    """Return a JPEG that lies on its side, with EXIF and a profile."""
    exif = Image.Exif()
    exif[_ORIENTATION], exif[_ARTIST], exif[_DESCRIPTION] = 6, _OWNER.decode(), _SECRET.decode()
    return encoded(scenery(67, 45), "JPEG", exif=exif, icc_profile=_PROFILE)


def _described(files: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        count = 0
        for number, data in enumerate(files):
            Path(folder, str(number)).write_bytes(data)
            count = number + 1
        done = subprocess.run(
            ["node", SHARP.script("describe.mjs"), folder, str(count)],
            check=True,
            capture_output=True,
        )
        yield from map(json.loads, done.stdout.splitlines())


def _all() -> Iterator[Case]:
    return itertools.chain(_pixels(), _metadata(), _films())


JUDGES = (
    Judge(
        "sharp as reader",
        "results, their profiles, metadata and frames, read by sharp",
        run=_all,
        quick=_metadata,
        needs=(SHARP,),
    ),
)
