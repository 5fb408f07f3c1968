"""Metadata of a rendition: none, the copyright only, or all that is still true."""

import time

import pytest
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base
from PIL.PngImagePlugin import PngInfo

from contracts.formats import Format
from contracts.operations.pipeline import Pipeline
from contracts.outputs import Metadata, Output
from services.imaging.engine import pipeline
from services.imaging.engine.formats import plugins
from services.imaging.engine.metadata.xmp import remove_elements
from tests.imaging.pictures import READ, SRGB, UPRIGHT, corners, decoded, encoded, quadrants

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><d tiff:Orientation="6" dc:title="Harbour"/></x:xmpmeta>'
)
ROOM_FOR_EXIF = ["jpeg", "png", "webp", "avif", "tiff", "jxl", "heif"]


def camera_exif() -> Image.Exif:
    """A camera's EXIF: orientation, copyright, exposure and place."""
    exif = Image.Exif()
    exif[Base.Orientation] = 6
    exif[Base.Make] = "Leica"
    exif[Base.Artist] = "Ada"
    exif[Base.Copyright] = "Ada 2026"
    exif[IFD.Exif] = {Base.ExposureTime: 0.008, Base.ExifImageWidth: 60, Base.MakerNote: b"secret"}
    exif[IFD.GPSInfo] = {GPS.GPSLatitudeRef: "N", GPS.GPSLatitude: (47.0, 22.0, 12.0)}
    return exif


def source(format: str) -> bytes:
    stored = quadrants(80, 60).transpose(Image.Transpose.ROTATE_90)
    return encoded(stored, format, exif=camera_exif().tobytes(), xmp=XMP, quality=95)


def kept(format: str, metadata: Metadata, data: bytes | None = None) -> Image.Image:
    output = Output(format=Format(format), metadata=metadata)
    return decoded(pipeline.run(data or source("JPEG"), Pipeline(output=output)).data)


@pytest.mark.parametrize("format", ROOM_FOR_EXIF)
def test_kept_metadata_is_true_of_the_rendition(format: str) -> None:
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
def test_kept_xmp_has_no_orientation_but_upright(format: str) -> None:
    info = kept(format, Metadata.KEEP).info
    packet = info.get("xmp") or info.get("XML:com.adobe.xmp")
    text = packet if isinstance(packet, str) else (packet or b"").decode()

    assert 'dc:title="Harbour"' in text
    assert 'tiff:Orientation="1"' in text


@pytest.mark.parametrize("format", ROOM_FOR_EXIF)
def test_copyright_keeps_artist_and_copyright_only(format: str) -> None:
    result = kept(format, Metadata.COPYRIGHT)
    exif = result.getexif()

    assert (exif[Base.Artist], exif[Base.Copyright]) == ("Ada", "Ada 2026")
    assert Base.Make not in exif
    assert not exif.get_ifd(IFD.Exif)
    assert not exif.get_ifd(IFD.GPSInfo)
    assert b"Harbour" not in str(result.info).encode()


@pytest.mark.parametrize("metadata", [Metadata.STRIP, Metadata.COPYRIGHT])
@pytest.mark.parametrize("format", plugins.INSTALLED)
@pytest.mark.parametrize("read", READ)
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_stripped_metadata_is_gone_even_without_operations(
    mode: str, read: str, format: Format, metadata: Metadata
) -> None:
    # Upright already: the decoder's image goes to the encoder unchanged.
    upright = camera_exif()
    upright[Base.Orientation] = 1
    notes = {} if read == "GIF" else {"exif": upright.tobytes(), "xmp": XMP}
    picture = quadrants(mode="RGB" if (read, mode) == ("JPEG", "RGBA") else mode)
    output = Output(format=format, metadata=metadata)
    data = pipeline.run(encoded(picture, read, **notes), Pipeline(output=output)).data
    result = decoded(data)
    exif = result.getexif()

    named = {Base.Artist, Base.Copyright} if metadata is Metadata.COPYRIGHT else set()
    assert set(camera_exif()) & set(exif) <= named
    assert not exif.get_ifd(IFD.GPSInfo)
    assert not exif.get_ifd(IFD.Exif)
    assert not {"xmp", "XML:com.adobe.xmp", "photoshop", "comment"} & set(result.info)
    for word in (b"Leica", b"Harbour", b"secret"):
        assert word not in data


@pytest.mark.parametrize("read", ["PNG", "WEBP", "AVIF", "TIFF", "HEIF"])
def test_copyright_is_read_from_every_format(read: str) -> None:
    assert kept("jpeg", Metadata.KEEP, source(read)).getexif()[Base.Artist] == "Ada"


def test_metadata_does_not_change_pixels() -> None:
    stripped = kept("png", Metadata.STRIP)

    assert stripped.tobytes() == kept("png", Metadata.KEEP).tobytes()
    assert not stripped.info.get("exif")


def test_broken_metadata_counts_as_absent() -> None:
    data = encoded(quadrants(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7fnonsense")

    assert not kept("jpeg", Metadata.KEEP, data).getexif()


def test_a_malicious_xmp_packet_takes_no_longer() -> None:
    started = time.process_time()
    assert remove_elements(b"<xmp:Thumbnails " * 100_000, b"xmp:Thumbnails").startswith(b"<xmp")
    kept = remove_elements(b"a<xmp:Thumbnails>b</xmp:Thumbnails>c" * 50_000, b"xmp:Thumbnails")
    assert kept == b"ac" * 50_000
    assert time.process_time() - started < 1


BEYOND_A_JPEG = 70_000


def long_exif(tag: int = Base.ImageDescription) -> Image.Exif:
    exif = camera_exif()
    exif[tag] = "x" * BEYOND_A_JPEG
    exif[IFD.Exif] = {**exif[IFD.Exif], Base.UserComment: b"y" * 40_000}
    return exif


@pytest.mark.parametrize("metadata", [Metadata.KEEP, Metadata.COPYRIGHT])
@pytest.mark.parametrize("format", [one for one in plugins.INSTALLED if one.spec.metadata])
def test_long_metadata_is_kept_except_in_jpeg(format: Format, metadata: Metadata) -> None:
    text = PngInfo()
    text.add_itxt("XML:com.adobe.xmp", "<x>" + "z" * BEYOND_A_JPEG + "</x>")
    data = encoded(quadrants(), "PNG", exif=long_exif(), pnginfo=text)
    result = kept(format, metadata, data)
    exif = result.getexif()

    assert exif[Base.Artist] == "Ada"
    if metadata is Metadata.KEEP:
        assert exif[Base.Make] == "Leica"
        has_room = format is not Format.JPEG
        assert (Base.ImageDescription in exif) == has_room
        assert bool({"xmp", "XML:com.adobe.xmp"} & set(result.info)) == (
            has_room and format is not Format.JXL
        ), "pillow-jxl-plugin writes XMP and does not read it"


def test_the_longest_tag_is_dropped_first() -> None:
    exif = camera_exif()
    exif[Base.Copyright] = "x" * 30_000
    exif[IFD.Exif] = {Base.ExposureTime: 0.008, Base.UserComment: b"y" * 40_000}
    found = kept("jpeg", Metadata.KEEP, encoded(quadrants(), "PNG", exif=exif)).getexif()

    assert len(found[Base.Copyright]) == 30_000
    assert set(found.get_ifd(IFD.Exif)) == {Base.ExposureTime}
    assert found.get_ifd(IFD.GPSInfo)


def test_a_copyright_longer_than_a_segment_is_dropped() -> None:
    data = encoded(quadrants(), "PNG", exif=long_exif(Base.Copyright))
    found = kept("jpeg", Metadata.COPYRIGHT, data).getexif()

    assert set(found) == {Base.Artist}


def test_thousands_of_small_tags_are_dropped_quickly() -> None:
    exif = camera_exif()
    exif[IFD.Exif] = {tag: bytes(20) for tag in range(0xA500, 0xA500 + 4_000)}
    data = encoded(quadrants(), "PNG", exif=exif)
    started = time.process_time()

    assert kept("jpeg", Metadata.KEEP, data).getexif()[Base.Artist] == "Ada"
    assert time.process_time() - started < 2


@pytest.mark.parametrize(("icc", "space"), [("srgb", 1), ("keep", 65_535)])
def test_exif_says_srgb_if_colours_are_converted(icc: str, space: int) -> None:
    exif = Image.Exif()
    exif[IFD.Exif] = {Base.ColorSpace: 65_535}
    data = encoded(quadrants(), "JPEG", exif=exif, icc_profile=SRGB)
    output = Output.model_validate({"format": "jpeg", "metadata": "keep", "icc": icc})
    found = decoded(pipeline.run(data, Pipeline(output=output)).data).getexif()
    unknown = kept("jpeg", Metadata.KEEP, encoded(quadrants(), "JPEG", exif=exif)).getexif()

    assert found.get_ifd(IFD.Exif)[Base.ColorSpace] == space
    assert unknown.get_ifd(IFD.Exif)[Base.ColorSpace] == 65_535, "nothing was converted"
