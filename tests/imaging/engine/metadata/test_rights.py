"""Artist and copyright: read from EXIF, XMP and IPTC, in any script."""

import time

import pytest
from PIL import Image
from PIL.ExifTags import IFD, Base
from PIL.PngImagePlugin import PngInfo

from contracts.formats import Format
from contracts.operations.pipeline import Pipeline
from contracts.outputs import Metadata, Output
from services.imaging.engine import pipeline
from services.imaging.engine.inspection.inspect import inspect_pixels
from services.imaging.engine.metadata.exif_text import ExifText
from services.imaging.engine.metadata.rights import read_rights
from tests.imaging.pictures import decoded, encoded, quadrants

NAME = "© Ann Müller, 株式会社"
STORED = ExifText(NAME.encode().decode("latin-1"))
EXIF_FORMATS = ["jpeg", "png", "webp", "avif", "tiff", "jxl", "heif"]

XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">
   <dc:rights><rdf:Alt>
     <rdf:li xml:lang="x-default">© Ann Müller</rdf:li><rdf:li xml:lang="de">andere</rdf:li>
   </rdf:Alt></dc:rights>
   <dc:creator><rdf:Seq><rdf:li>Ann &amp; Co</rdf:li><rdf:li>Bob</rdf:li></rdf:Seq></dc:creator>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>""".encode()


def iptc(*datasets: tuple[int, bytes]) -> bytes:
    return b"".join(
        bytes([0x1C, 2, number]) + len(value).to_bytes(2, "big") + value
        for number, value in datasets
    )


def with_iptc(format: str, data: bytes) -> bytes:
    if format == "TIFF":
        exif = Image.Exif()
        exif[33_723] = data
        return encoded(quadrants(), "TIFF", exif=exif)
    resource = b"8BIM\x04\x04\0\0" + len(data).to_bytes(4, "big") + data + b"\0" * (len(data) % 2)
    body = b"Photoshop 3.0\0" + resource
    jpeg = encoded(quadrants(), "JPEG")
    return jpeg[:2] + b"\xff\xed" + (len(body) + 2).to_bytes(2, "big") + body + jpeg[2:]


def kept(data: bytes, metadata: Metadata, format: str = "jpeg") -> Image.Exif:
    output = Output(format=Format(format), metadata=metadata)
    return decoded(pipeline.run(data, Pipeline(output=output)).data).getexif()


def signed() -> bytes:
    exif = Image.Exif()
    exif[Base.Copyright] = exif[Base.ImageDescription] = STORED
    exif[IFD.Exif] = {Base.LensModel: STORED}
    return encoded(quadrants(), "JPEG", exif=exif)


@pytest.mark.parametrize("metadata", [Metadata.COPYRIGHT, Metadata.KEEP])
@pytest.mark.parametrize("format", EXIF_FORMATS)
def test_letters_of_every_script_are_kept(format: str, metadata: Metadata) -> None:
    exif = kept(signed(), metadata, format)

    assert exif[Base.Copyright] == STORED
    if metadata is Metadata.KEEP:
        assert exif[Base.ImageDescription] == STORED
    if metadata is Metadata.KEEP and format != "tiff":
        assert exif.get_ifd(IFD.Exif)[Base.LensModel] == STORED


def test_letters_of_every_script_are_inspected() -> None:
    details = inspect_pixels(signed()).details
    old = Image.Exif()
    old[Base.Artist] = ExifText("Müller")
    of_old = inspect_pixels(encoded(quadrants(), "JPEG", exif=old)).details

    assert details is not None
    assert of_old is not None
    assert (details.shot.copyright, details.shot.lens) == (NAME, NAME)
    assert of_old.shot.artist == "Müller", "in Latin-1, as old cameras write"


@pytest.mark.parametrize("metadata", [Metadata.COPYRIGHT, Metadata.KEEP])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_rights_in_xmp_alone_are_kept(format: str, metadata: Metadata) -> None:
    in_png, in_tiff = PngInfo(), Image.Exif()
    in_png.add_itxt("XML:com.adobe.xmp", XMP.decode())
    in_tiff[Base.XMLPacket] = XMP
    ways: dict[str, dict[str, object]] = {"PNG": {"pnginfo": in_png}, "TIFF": {"exif": in_tiff}}
    exif = kept(encoded(quadrants(), format, **ways.get(format, {"xmp": XMP})), metadata)

    assert exif[Base.Copyright].encode("latin-1").decode() == "© Ann Müller"
    assert exif[Base.Artist] == "Ann & Co; Bob"


def test_rights_in_attributes_of_xmp_are_kept() -> None:
    packet = (
        b'<a xmlns:x="http://purl.org/dc/elements/1.1/" x:rights="Ann"><b x:creator="Bob"/></a>'
    )
    exif = kept(encoded(quadrants(), "JPEG", xmp=packet), Metadata.COPYRIGHT)

    assert (exif[Base.Artist], exif[Base.Copyright]) == ("Bob", "Ann")


@pytest.mark.parametrize("metadata", [Metadata.COPYRIGHT, Metadata.KEEP])
@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_rights_in_iptc_are_kept(format: str, metadata: Metadata) -> None:
    data = iptc((5, b"title"), (80, b"Ann"), (80, "Müller".encode()), (116, b"\xa9 Press"))
    exif = kept(with_iptc(format, data), metadata)

    assert exif[Base.Artist].encode("latin-1").decode() == "Ann; Müller"
    assert exif[Base.Copyright].encode("latin-1").decode() == "© Press"


def test_exif_precedes_xmp_and_xmp_precedes_iptc() -> None:
    exif = Image.Exif()
    exif[Base.Artist], exif[Base.Copyright] = "Ada", " "
    named = encoded(quadrants(), "JPEG", exif=exif, xmp=XMP)
    found = kept(named, Metadata.COPYRIGHT)
    packet = XMP.replace(b"dc:creator", b"dc:subject")
    body = encoded(quadrants(), "JPEG", xmp=packet)[2:]
    both = with_iptc("JPEG", iptc((80, b"Press"), (116, b"Press")))
    mixed = kept(both[: both.index(b"\xff\xdb")] + body, Metadata.COPYRIGHT)

    assert found[Base.Artist] == "Ada"
    assert found[Base.Copyright].encode("latin-1").decode() == "© Ann Müller"
    assert mixed[Base.Artist] == "Press"
    assert "Ann" in mixed[Base.Copyright]


@pytest.mark.parametrize(
    "packet",
    [
        b"<x:xmpmeta",
        b'<!DOCTYPE a [<!ENTITY e "Ann">]><a xmlns:d="http://purl.org/dc/elements/1.1/"'
        b' d:rights="&e;"/>',
        b"<a>" * 100_000,
        b'<r xmlns="http://purl.org/dc/elements/1.1/"><rights>' + b"a<!---->" * 200_000,
        b"\0" * 100_000,
    ],
)
def test_a_malicious_xmp_packet_has_no_rights(packet: bytes) -> None:
    started = time.process_time()

    assert not read_rights(quadrants(), Image.Exif(), packet)
    assert time.process_time() - started < 1


@pytest.mark.parametrize("broken", [b"\x1c", b"\x1c\2\x50\xff\xff", b"nonsense", b"\x1c\2\x50\0\0"])
@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_broken_iptc_has_no_rights(format: str, broken: bytes) -> None:
    assert Base.Artist not in kept(with_iptc(format, broken), Metadata.KEEP)
