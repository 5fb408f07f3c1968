"""A message as FastStream's subscribers read it, for what is written past its publishers."""

from faststream.redis.parser import BinaryMessageFormatV1

from contracts.message import Message


async def envelope(message: Message, correlation_id: str) -> bytes:
    """The message in FastStream's binary format, as JSON."""
    return await BinaryMessageFormatV1.encode(
        message=message.model_dump_json().encode(),
        reply_to=None,
        headers={"content-type": "application/json"},
        correlation_id=correlation_id,
    )
