"""Classify IP addresses: public on the internet, or part of some private or special network."""

import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
_ISATAP = 0x5EFE  # RFC 5214: bits 32 to 63 of an address whose last 32 bits are an IPv4 address
_UNICAST = ip_network("2000::/3")  # the only part of IPv6 that is assigned to hosts
# `ipaddress.is_global` is true for some of these, depending on the Python version.
_SPECIAL = tuple(
    map(
        ip_network,
        (
            "192.0.0.0/24",  # IETF protocols; one cloud's metadata service is at .192
            "192.88.99.0/24",  # 6to4 relays, withdrawn
            "168.63.129.16/32",  # reachable only from inside an Azure machine
            "2001::/23",  # IETF protocols, Teredo among them
            "2001:db8::/32",  # documentation
            "3fff::/20",  # documentation
        ),
    )
)


def is_public(address: str, nat64: Sequence[IPv6Network] = ()) -> bool:
    """Return whether an IP address is a public unicast address of the internet.

    An IPv6 address that embeds an IPv4 address (mapped, 6to4, NAT64) counts as the IPv4 address.
    `nat64` has the prefixes of the network's own translators, beside the well-known one.
    One of ISATAP or Teredo is never public: a host in the network would unpack it.
    Raises ValueError for text that is not an IP address.
    """
    ip = _embedded_ipv4(ip_address(address), (_NAT64, *nat64))
    if ip.version == 6 and (ip not in _UNICAST or _is_isatap(int(ip))):
        return False
    if ip.is_multicast or ip.is_reserved or ip.is_unspecified:
        return False
    return ip.is_global and not any(ip in network for network in _SPECIAL)


def literal_address(host: str) -> str | None:
    """Return the IP address that a host spells out, in canonical form; None for a DNS name.

    Also understands `localhost`, and the short, octal, hexadecimal and decimal forms of IPv4 that
    resolvers accept: `127.1`, `0x7f000001`, `2130706433`.
    """
    host = host.rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return "127.0.0.1"
    try:
        return str(ip_address(host))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return None


def _is_isatap(ip: int) -> bool:
    """Return whether an IPv6 address ends in an ISATAP interface id; one bit says "global"."""
    return ip >> 32 & 0xFDFF_FFFF == _ISATAP


def _embedded_ipv4(
    ip: IPv4Address | IPv6Address, nat64: Sequence[IPv6Network]
) -> IPv4Address | IPv6Address:
    """Return the IPv4 address inside a mapped, 6to4 or NAT64 address; any other address as is."""
    if isinstance(ip, IPv4Address):
        return ip
    for network in nat64:
        if ip in network:
            return _translated(int(ip), network.prefixlen)
    return ip.ipv4_mapped or ip.sixtofour or ip


def _translated(ip: int, length: int) -> IPv4Address:
    """Return the IPv4 address behind a NAT64 prefix, which leaves out bits 64 to 71 (RFC 6052)."""
    if length == 96:
        return IPv4Address(ip & 0xFFFF_FFFF)
    rest = ip & ((1 << 128 - length) - 1)
    before = 64 - length  # bits of the address in front of the bits that are left out
    high = rest >> 64
    low = rest & ((1 << 56) - 1)
    return IPv4Address(high << 32 - before | low >> 56 - (32 - before))
