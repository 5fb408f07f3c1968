"""Read an image's XMP packet, without the parts that are not true of a rendition."""

import re

from PIL import Image

# Bytes. Longer than any program writes: such a packet is ignored.
_MAX_PACKET = 4_000_000

# A rendition is upright: any other orientation is replaced by 1.
_ORIENTATION = re.compile(rb"""(tiff:Orientation\s*=\s*["'])[2-8]|(<tiff:Orientation>\s*)[2-8]""")
_THUMBNAILS = (b"xmp:Thumbnails", b"xap:Thumbnails")


def read_xmp(image: Image.Image) -> bytes:
    """The packet of an opened image, upright and without thumbnails; empty if there is none."""
    packet = image.info.get("xmp") or b""
    if not isinstance(packet, bytes) or len(packet) > _MAX_PACKET:
        return b""
    packet = _ORIENTATION.sub(rb"\g<1>\g<2>1", packet)
    for name in _THUMBNAILS:
        packet = remove_elements(packet, name)
    return packet


def remove_elements(packet: bytes, name: bytes) -> bytes:
    """The packet without the elements of this name.

    One pass over the bytes: a packet made to be slow takes no longer than any other.
    """
    opening, closing = b"<" + name, b"</" + name + b">"
    parts, position = [], 0
    while (start := packet.find(opening, position)) >= 0:
        end = packet.find(closing, start)
        if end < 0:
            break
        parts.append(packet[position:start])
        position = end + len(closing)
    return b"".join((*parts, packet[position:]))
