"""Whose a picture is: by its EXIF, else by its XMP, else by its IPTC, as the press writes it."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Literal
from xml.parsers import expat

from PIL import Image
from PIL.ExifTags import Base

from services.imaging.engine.metadata import exif
from services.imaging.engine.metadata.exif_text import ExifText, encode_text
from services.imaging.engine.safety.decode_errors import DECODE_ERRORS

TAGS = (Base.Artist, Base.Copyright)

# ISO 16684-1:2019, 8.3: a list of names, and a text in several languages.
_DC = "http://purl.org/dc/elements/1.1/"
_PROPERTIES = {f"{_DC} creator": Base.Artist, f"{_DC} rights": Base.Copyright}
_ITEM = "http://www.w3.org/1999/02/22-rdf-syntax-ns# li"

# IPTC-NAA Information Interchange Model 4.2: By-line and Copyright Notice, of record 2.
_DATASET = 0x1C
_DATASETS = {80: Base.Artist, 116: Base.Copyright}
_IPTC_TAG, _IPTC_RESOURCE = 33_723, 0x0404  # in a TIFF or EXIF; in what Photoshop adds to a JPEG
_MOST_IPTC = 65_536  # bytes; a picture has two or three thousand

_Rights = dict[int, ExifText]


def rights_of(image: Image.Image, found: Image.Exif, xmp: bytes) -> _Rights:
    """Artist and copyright holder as EXIF tags; `found` and `xmp` are what the image has of these.

    What can't be read is taken for none.
    """
    return {**_in_iptc(image, found), **_in_xmp(xmp), **_in_exif(found)}


def _in_exif(found: Image.Exif) -> _Rights:
    with suppress(*DECODE_ERRORS):
        return {tag: ExifText(found[tag]) for tag in TAGS if exif.text(found.get(tag))}
    return {}


def _in_xmp(packet: bytes) -> _Rights:
    with suppress(expat.ExpatError, ValueError):
        return _named(_properties(packet))
    return {}


def _in_iptc(image: Image.Image, found: Image.Exif) -> _Rights:
    with suppress(*DECODE_ERRORS):
        data = found.get(_IPTC_TAG)
        if isinstance(data, tuple):
            # Bytes that were written as numbers of four.
            order: Literal["little", "big"] = "little" if found.endian == "<" else "big"
            data = b"".join(number.to_bytes(4, order) for number in data[:_MOST_IPTC])
        added = image.info.get("photoshop")
        if not data and isinstance(added, dict):
            data = added.get(_IPTC_RESOURCE)
        return _named(_datasets((data or b"")[:_MOST_IPTC]))
    return {}


def _named(told: Mapping[int, list[str]]) -> _Rights:
    """Every artist; of a copyright in several languages, the first."""
    rights: _Rights = {}
    for tag, texts in told.items():
        names = [name for name in map(str.strip, texts) if name]
        if names:
            rights[tag] = encode_text(names[0] if tag == Base.Copyright else "; ".join(names))
    return rights


def _properties(packet: bytes) -> dict[int, list[str]]:
    """Elements and attributes of an XMP packet. Raises ExpatError and ValueError."""
    texts: dict[int, list[list[str]]] = {}
    open_property: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        for property, tag in _PROPERTIES.items():
            if property in attributes:
                texts.setdefault(tag, []).append([attributes[property]])
        if name in _PROPERTIES and not open_property:
            open_property.append(name)
            texts.setdefault(_PROPERTIES[name], []).append([])
        elif name == _ITEM and open_property:
            texts[_PROPERTIES[open_property[0]]].append([])

    def end(name: str) -> None:
        if open_property == [name]:
            open_property.clear()

    def characters(text: str) -> None:
        if open_property:
            texts[_PROPERTIES[open_property[0]]][-1].append(text)

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = characters
    parser.Parse(packet.rstrip(b"\0"), True)
    return {tag: ["".join(parts) for parts in listed] for tag, listed in texts.items()}


def _refuse_doctype(*_: object) -> None:
    # Entities within entities: a kilobyte becomes gigabytes.
    raise ValueError("XMP has no document type")


def _datasets(data: bytes) -> dict[int, list[str]]:
    told: dict[int, list[str]] = {}
    at = 0
    while at + 5 <= len(data) and data[at] == _DATASET:
        record, number, length = data[at + 1], data[at + 2], int.from_bytes(data[at + 3 : at + 5])
        if record == 2 and number in _DATASETS:
            value = data[at + 5 : at + 5 + length]
            told.setdefault(_DATASETS[number], []).append(_decoded(value))
        at += 5 + length
    return told


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
