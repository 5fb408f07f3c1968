"""The `Host` field of a request, as the specifications want it."""

import re
from collections.abc import Sequence

# RFC 3986, section 3.2: an address in brackets or a name, which may be empty, and a port.
_HOST = re.compile(
    rb"(?:\[[\w.:~!$&'()*+,;=-]+\]|(?:[\w.~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::[0-9]*)?"
)


def has_host(fields: Sequence[tuple[bytes, bytes]], version: str) -> bool:
    """Return whether a request has one valid `Host`; in HTTP/1.0 it may have none.

    RFC 9112, section 3.2: with several, a proxy and the gateway could use different ones.
    """
    hosts = [value for name, value in fields if name == b"host"]
    if len(hosts) != 1:
        return not hosts and version == "1.0"
    return _HOST.fullmatch(hosts[0]) is not None
