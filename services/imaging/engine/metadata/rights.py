"""Read the artist and the copyright of an image from EXIF, XMP or IPTC, in this order."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Literal
from xml.parsers import expat

from PIL import Image
from PIL.ExifTags import Base

from services.imaging.engine.metadata.exif import printable_text
from services.imaging.engine.metadata.exif_text import ExifText, encode_text
from services.imaging.engine.safety.decode_errors import ignore_decode_errors

RIGHTS_TAGS = (Base.Artist, Base.Copyright)

# Dublin Core in XMP (ISO 16684-1:2019, 8.3): creator lists names, rights has texts by language.
_DC = "http://purl.org/dc/elements/1.1/"
_XMP_PROPERTIES = {f"{_DC} creator": Base.Artist, f"{_DC} rights": Base.Copyright}
_XMP_ITEM = "http://www.w3.org/1999/02/22-rdf-syntax-ns# li"

# IPTC-NAA Information Interchange Model 4.2: By-line and Copyright Notice, of record 2.
_DATASET_MARKER = 0x1C
_IPTC_DATASETS = {80: Base.Artist, 116: Base.Copyright}
_IPTC_TAG = 33_723  # of a TIFF or EXIF
_IPTC_RESOURCE = 0x0404  # of the Photoshop segment of a JPEG
_MAX_IPTC = 65_536  # bytes; a photograph has two or three thousand

_Rights = dict[int, ExifText]


def read_rights(image: Image.Image, exif: Image.Exif, xmp: bytes) -> _Rights:
    """Artist and copyright as EXIF tags, each from the first source that has it.

    `exif` and `xmp` are those of the opened image. What can't be read counts as absent.
    """
    return {**_from_iptc(image, exif), **_from_xmp(xmp), **_from_exif(exif)}


def _from_exif(exif: Image.Exif) -> _Rights:
    with ignore_decode_errors():
        return {tag: ExifText(exif[tag]) for tag in RIGHTS_TAGS if printable_text(exif.get(tag))}
    return {}


def _from_xmp(packet: bytes) -> _Rights:
    with suppress(expat.ExpatError, ValueError):
        return _joined(_parse_xmp(packet))
    return {}


def _from_iptc(image: Image.Image, exif: Image.Exif) -> _Rights:
    with ignore_decode_errors():
        data = exif.get(_IPTC_TAG)
        if isinstance(data, tuple):
            # Some writers store the bytes as 32-bit integers.
            order: Literal["little", "big"] = "little" if exif.endian == "<" else "big"
            data = b"".join(number.to_bytes(4, order) for number in data[:_MAX_IPTC])
        photoshop = image.info.get("photoshop")
        if not data and isinstance(photoshop, dict):
            data = photoshop.get(_IPTC_RESOURCE)
        return _joined(_parse_iptc((data or b"")[:_MAX_IPTC]))
    return {}


def _joined(found: Mapping[int, list[str]]) -> _Rights:
    """All artists, separated by semicolons, and the first copyright: others are translations."""
    rights: _Rights = {}
    for tag, texts in found.items():
        names = [name for name in map(str.strip, texts) if name]
        if names:
            rights[tag] = encode_text(names[0] if tag == Base.Copyright else "; ".join(names))
    return rights


def _parse_xmp(packet: bytes) -> dict[int, list[str]]:
    """The texts of both properties, written as elements, lists or attributes.

    Raises ExpatError and ValueError.
    """
    texts: dict[int, list[list[str]]] = {}
    open_property: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        for property, tag in _XMP_PROPERTIES.items():
            if property in attributes:
                texts.setdefault(tag, []).append([attributes[property]])
        if name in _XMP_PROPERTIES and not open_property:
            open_property.append(name)
            texts.setdefault(_XMP_PROPERTIES[name], []).append([])
        elif name == _XMP_ITEM and open_property:
            texts[_XMP_PROPERTIES[open_property[0]]].append([])

    def end(name: str) -> None:
        if open_property == [name]:
            open_property.clear()

    def characters(text: str) -> None:
        if open_property:
            texts[_XMP_PROPERTIES[open_property[0]]][-1].append(text)

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = characters
    parser.Parse(packet.rstrip(b"\0"), True)
    return {tag: ["".join(parts) for parts in listed] for tag, listed in texts.items()}


def _refuse_doctype(*_: object) -> None:
    # A document type may define entities within entities: a kilobyte becomes gigabytes.
    raise ValueError("XMP has no document type")


def _parse_iptc(data: bytes) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    position = 0
    while position + 5 <= len(data) and data[position] == _DATASET_MARKER:
        record, number = data[position + 1], data[position + 2]
        length = int.from_bytes(data[position + 3 : position + 5])
        if record == 2 and number in _IPTC_DATASETS:
            value = data[position + 5 : position + 5 + length]
            found.setdefault(_IPTC_DATASETS[number], []).append(_decoded(value))
        position += 5 + length
    return found


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
