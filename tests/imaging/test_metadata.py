"""What is left of metadata: nothing, the names of whom it belongs to, or what is still true."""

import time

import pytest
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from contracts.operations import Pipeline
from contracts.outputs import Format, Metadata, Output
from services.imaging import pipeline, plugins
from services.imaging.metadata import _without
from tests.imaging.pictures import READ, UPRIGHT, corners, decoded, encoded, quadrants

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><d tiff:Orientation="6" dc:title="Harbour"/></x:xmpmeta>'
)
ROOM_FOR_EXIF = ["jpeg", "png", "webp", "avif", "tiff", "jxl", "heif"]


def told() -> Image.Exif:
    """A camera's EXIF: how it lies, whose it is, how and where it was taken."""
    exif = Image.Exif()
    exif[Base.Orientation] = 6
    exif[Base.Make] = "Leica"
    exif[Base.Artist] = "Ada"
    exif[Base.Copyright] = "Ada 2026"
    exif[IFD.Exif] = {Base.ExposureTime: 0.008, Base.ExifImageWidth: 60, Base.MakerNote: b"secret"}
    exif[IFD.GPSInfo] = {GPS.GPSLatitudeRef: "N", GPS.GPSLatitude: (47.0, 22.0, 12.0)}
    return exif


def source(format: str) -> bytes:
    lying = quadrants(80, 60).transpose(Image.Transpose.ROTATE_90)
    return encoded(lying, format, exif=told().tobytes(), xmp=XMP, quality=95)


def kept(format: str, metadata: Metadata, data: bytes | None = None) -> Image.Image:
    output = Output(format=Format(format), metadata=metadata)
    return decoded(pipeline.run(data or source("JPEG"), Pipeline(output=output)).data)


@pytest.mark.parametrize("format", ROOM_FOR_EXIF)
def test_what_is_kept_is_true_of_the_result(format: str) -> None:
    result = kept(format, Metadata.KEEP)
    exif = result.getexif()

    assert corners(result) == UPRIGHT
    assert exif.get(Base.Orientation, 1) == 1
    assert exif[Base.Make] == "Leica"
    assert exif[Base.Copyright] == "Ada 2026"
    if format == "tiff":
        return  # it has no room for directories within its own
    assert float(exif.get_ifd(IFD.Exif)[Base.ExposureTime]) == pytest.approx(0.008)
    assert not {Base.ExifImageWidth, Base.MakerNote} & set(exif.get_ifd(IFD.Exif))
    assert exif.get_ifd(IFD.GPSInfo)[GPS.GPSLatitudeRef] == "N"


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "avif", "tiff", "heif"])
def test_xmp_is_kept_and_does_not_turn_the_result_again(format: str) -> None:
    info = kept(format, Metadata.KEEP).info
    packet = info.get("xmp") or info.get("XML:com.adobe.xmp")
    text = packet if isinstance(packet, str) else (packet or b"").decode()

    assert 'dc:title="Harbour"' in text
    assert 'tiff:Orientation="1"' in text


@pytest.mark.parametrize("format", ROOM_FOR_EXIF)
def test_copyright_is_two_names_and_no_place(format: str) -> None:
    result = kept(format, Metadata.COPYRIGHT)
    exif = result.getexif()

    assert (exif[Base.Artist], exif[Base.Copyright]) == ("Ada", "Ada 2026")
    assert Base.Make not in exif
    assert not exif.get_ifd(IFD.Exif)
    assert not exif.get_ifd(IFD.GPSInfo)
    assert b"Harbour" not in str(result.info).encode()


@pytest.mark.parametrize("metadata", [Metadata.STRIP, Metadata.COPYRIGHT])
@pytest.mark.parametrize("format", plugins.WRITTEN)
@pytest.mark.parametrize("read", READ)
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_what_is_not_kept_is_gone_where_nothing_is_done_to_the_pixels(
    mode: str, read: str, format: Format, metadata: Metadata
) -> None:
    # Nothing is turned: what a decoder gives goes to an encoder.
    upright = told()
    upright[Base.Orientation] = 1
    notes = {} if read == "GIF" else {"exif": upright.tobytes(), "xmp": XMP}
    picture = quadrants(mode="RGB" if (read, mode) == ("JPEG", "RGBA") else mode)
    output = Output(format=format, metadata=metadata)
    data = pipeline.run(encoded(picture, read, **notes), Pipeline(output=output)).data
    result = decoded(data)
    exif = result.getexif()

    named = {Base.Artist, Base.Copyright} if metadata is Metadata.COPYRIGHT else set()
    assert set(told()) & set(exif) <= named
    assert not exif.get_ifd(IFD.GPSInfo)
    assert not exif.get_ifd(IFD.Exif)
    assert not {"xmp", "XML:com.adobe.xmp", "photoshop", "comment"} & set(result.info)
    for word in (b"Leica", b"Harbour", b"secret"):
        assert word not in data


@pytest.mark.parametrize("read", ["PNG", "WEBP", "AVIF", "TIFF", "HEIF"])
def test_it_is_found_in_every_format(read: str) -> None:
    assert kept("jpeg", Metadata.KEEP, source(read)).getexif()[Base.Artist] == "Ada"


def test_metadata_does_not_keep_pixels_from_being_the_same() -> None:
    stripped = kept("png", Metadata.STRIP)

    assert stripped.tobytes() == kept("png", Metadata.KEEP).tobytes()
    assert not stripped.info.get("exif")


def test_broken_metadata_is_taken_for_none() -> None:
    data = encoded(quadrants(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7fnonsense")

    assert not kept("jpeg", Metadata.KEEP, data).getexif()


def test_a_packet_that_is_made_to_hurt_costs_nothing() -> None:
    started = time.perf_counter()
    assert _without(b"<xmp:Thumbnails " * 100_000, b"xmp:Thumbnails").startswith(b"<xmp")
    kept = _without(b"a<xmp:Thumbnails>b</xmp:Thumbnails>c" * 50_000, b"xmp:Thumbnails")
    assert kept == b"ac" * 50_000
    assert time.perf_counter() - started < 1
