"""FastStream's binary envelope, written and read in a few steps instead of one a field.

The layout (integers are big-endian): an identity of 8 bytes, the version (2), where the headers and
the body start (4 each), the number of headers (2), each header's name and value with its length in
bytes before it (2), the body.
"""

import struct
from collections.abc import Mapping
from struct import Struct
from typing import Any

from faststream.redis.parser.binary import BinaryMessageFormatV1, FastStreamMessageVersion

from contracts.errors import InvalidRequest
from contracts.message import Message

_START = Struct(">8sHIIH")
_LENGTH = Struct(">H")
_HEADERS_START = 18
_LONGEST = 65_535  # bytes of a header
_VERSION = FastStreamMessageVersion.v1.value


class Envelope(BinaryMessageFormatV1):
    """The same bytes as FastStream's own, but for headers beyond ASCII, which that cuts short."""

    @classmethod
    async def encode(cls, **message: Any) -> bytes:
        """A message as it is sent. Raises InvalidRequest for headers that can't be."""
        built = await cls.build(**message)
        headers = _packed(built.headers)
        start = _START.pack(
            cls.IDENTITY_HEADER,
            _VERSION,
            _HEADERS_START,
            _START.size + len(headers),
            len(built.headers),
        )
        return b"".join((start, headers, built.data))

    @classmethod
    def parse(cls, data: bytes) -> tuple[bytes, dict[str, Any]]:
        """Body and headers of what came; what isn't in this format is left to FastStream."""
        if len(data) < _START.size or not data.startswith(cls.IDENTITY_HEADER):
            return _sound(*super().parse(data))
        _, version, at, body, number = _START.unpack_from(data)
        if version != _VERSION or at != _HEADERS_START:
            return _sound(*super().parse(data))
        fields = []
        try:
            at = _START.size
            for _ in range(2 * number):
                (length,) = _LENGTH.unpack_from(data, at)
                at += _LENGTH.size + length
                fields.append(data[at - length : at].decode())
        except Exception:
            return _sound(*super().parse(data))
        return data[body:], dict(zip(fields[::2], fields[1::2], strict=True))


def _packed(headers: Mapping[str, Any]) -> bytes:
    parts: list[bytes] = []
    try:
        for field in (field for header in headers.items() for field in header):
            data = field if isinstance(field, bytes) else field.encode()
            parts += (_LENGTH.pack(len(data)), data)
    except (struct.error, AttributeError, UnicodeEncodeError) as exc:
        raise InvalidRequest("A header is a text of 65,535 bytes at most.") from exc
    return b"".join(parts)


def _sound(body: bytes, headers: Any) -> tuple[bytes, dict[str, Any]]:
    """What came as JSON from anywhere, with those of its headers that are texts which travel."""
    named = headers.items() if isinstance(headers, dict) else ()
    return body, {name: value for name, value in named if _travels(name) and _travels(value)}


def _travels(text: object) -> bool:
    try:
        return isinstance(text, str) and len(text.encode()) <= _LONGEST
    except UnicodeEncodeError:
        return False


async def envelope(message: Message, correlation_id: str) -> bytes:
    """A message as JSON in its envelope, for what is written past FastStream's publishers."""
    return await Envelope.encode(
        message=message.model_dump_json().encode(),
        reply_to=None,
        headers={"content-type": "application/json"},
        correlation_id=correlation_id,
    )
