"""What an address says: its method, its transport, and whether one worker alone listens there."""

from contracts.methods import Transport

_OWN = "@"


def own_channel(channel: str, worker: str) -> str:
    """Where `worker` alone hears what others hear on `channel`."""
    return f"{channel}{_OWN}{worker}"


def is_own_channel(address: str) -> bool:
    """Whether what comes there has one worker already."""
    return _OWN in address


def method_of(address: str) -> str:
    """The method that an address belongs to, whatever its transport."""
    return address.partition(_OWN)[0].partition(":")[0]


def transport_of(address: str) -> Transport:
    """How a message gets to an address."""
    suffix = address.partition(_OWN)[0].rpartition(":")[2]
    return Transport(suffix) if suffix in set(Transport) else Transport.CHANNEL
