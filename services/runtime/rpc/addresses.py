"""Addresses: names of channels, lists and streams, made of method, transport and worker.

An address is a method's name, `:` and the transport; `@` and a worker's name follow on a channel
that one worker alone subscribes to.
"""

from functools import lru_cache

from contracts.methods import Transport

OWN_CHANNEL_MARK = "@"


def own_channel(channel: str, worker: str) -> str:
    """Return the channel on which `worker` alone receives messages for `channel`."""
    return f"{channel}{OWN_CHANNEL_MARK}{worker}"


def is_own_channel(address: str) -> bool:
    """Return whether one worker alone subscribes to `address`."""
    return OWN_CHANNEL_MARK in address


@lru_cache(maxsize=1024)
def method_of(address: str) -> str:
    """Return the name of the method that is called at `address`."""
    return address.partition(OWN_CHANNEL_MARK)[0].partition(":")[0]


@lru_cache(maxsize=1024)
def transport_of(address: str) -> Transport:
    """Return the transport of `address`; a name without one is a channel."""
    suffix = address.partition(OWN_CHANNEL_MARK)[0].rpartition(":")[2]
    return Transport(suffix) if suffix in set(Transport) else Transport.CHANNEL
