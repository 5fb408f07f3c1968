"""FastStream's message format, written and read by `messaging.envelope`."""

from typing import Any

from faststream.redis.parser import BinaryMessageFormatV1

from services.runtime.messaging.envelope import pack, unpack, valid_headers


class Envelope(BinaryMessageFormatV1):
    """Writes and reads FastStream's own format; headers beyond ASCII survive, too."""

    @classmethod
    async def encode(cls, **message: Any) -> bytes:
        """Return the packed message. Raises InvalidRequest for a header that cannot be sent."""
        built = await cls.build(**message)
        return pack(built.data, built.headers)

    @classmethod
    def parse(cls, data: bytes) -> tuple[bytes, dict[str, Any]]:
        """Return body and headers; FastStream reads data that is not in the binary format."""
        unpacked = unpack(data)
        if unpacked is not None:
            return unpacked
        body, headers = super().parse(data)
        return body, valid_headers(headers)
