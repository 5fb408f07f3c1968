"""What a gateway process is told from outside."""

from pydantic import PositiveFloat, PositiveInt

from services.runtime.settings import RuntimeSettings


class GatewaySettings(RuntimeSettings):
    """Settings of the gateway."""

    max_body: PositiveInt = 64 * 1024 * 1024  # bytes of one image
    max_bodies: PositiveInt = 1024 * 1024 * 1024  # bytes of all bodies being received at once
    body_patience: PositiveFloat = 30.0  # seconds without a byte until a body is given up
    linger: PositiveFloat = 30.0  # seconds a body that was refused already is read and dropped
    max_calls: PositiveInt = 1000  # outstanding calls to imaging
    default_timeout: PositiveFloat = 10.0  # seconds a call may take when the client doesn't say
    max_timeout: PositiveFloat = 60.0  # seconds it may take at most
    inspect_timeout: PositiveFloat = 10.0  # seconds for saying what an image is
    max_watched: PositiveInt = 10_000  # jobs watched over one WebSocket
    max_backlog: PositiveInt = 1000  # events a slow reader may be behind before it is dropped
