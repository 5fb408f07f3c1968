"""Which addresses are the internet's, and not of any network that this host is in."""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_NAT64 = ip_network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
_UNICAST = ip_network("2000::/3")  # all of IPv6 that is given out
# Not for everybody, whatever some versions of `ipaddress` say.
_SPECIAL = tuple(
    map(
        ip_network,
        (
            "192.0.0.0/24",  # IETF protocols; a cloud keeps its secrets at .192
            "192.88.99.0/24",  # 6to4 relays, withdrawn
            "168.63.129.16/32",  # answers only from within a machine of Azure
            "2001::/23",  # IETF protocols, Teredo among them
            "2001:db8::/32",  # documentation
            "3fff::/20",  # documentation
        ),
    )
)


def is_public(address: str) -> bool:
    """Whether an IP address is one of the internet's, for one host, and not of any network here.

    An IPv4 address that an IPv6 address stands for is judged in its place.
    """
    ip = _meant(ip_address(address))
    if ip.version == 6 and ip not in _UNICAST:
        return False
    if ip.is_multicast or ip.is_reserved or ip.is_unspecified:
        return False
    return ip.is_global and not any(ip in network for network in _SPECIAL)


def literal(host: str) -> str | None:
    """The address that a host is by itself, however it is written; None for a name."""
    host = host.rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return "127.0.0.1"
    try:
        return str(ip_address(host))
    except ValueError:
        pass
    try:
        # What a resolver takes for an address as well: 127.1, 0x7f000001, 2130706433.
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return None


def _meant(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address in a mapped, 6to4 or NAT64 one; any other as it is."""
    if isinstance(ip, IPv4Address):
        return ip
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip
