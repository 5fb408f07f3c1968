"""Lists of hosts, origins, proxies and so on, with commas in a setting; a path prefix."""

import re
from enum import StrEnum
from ipaddress import IPv6Network, ip_address, ip_network
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode

UNIX = "unix"
"""Every Unix socket, in a list of proxies."""

PREFIX = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")
"""A path without a slash at its end: `/images`."""

_HOST_NAME = re.compile(r"\*|(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_ORIGIN = re.compile(r"https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]+)?")


def _split(text: Any) -> Any:
    """Split a text at commas, and put it into lower case."""
    if not isinstance(text, str):
        return text
    return [item for item in re.split(r"[\s,]+", text.lower()) if item]


def _host_name(name: str) -> str:
    """Return a host name, or an address in its shortest form."""
    try:
        return str(ip_address(name.strip("[]")))
    except ValueError:
        if not _HOST_NAME.fullmatch(name.removesuffix(".")):
            raise ValueError("write names without scheme and port: example.com") from None
    return name.removesuffix(".")


def _origin(text: str) -> str:
    if not _ORIGIN.fullmatch(text) or text.endswith((":80", ":443")):
        raise ValueError("write origins as browsers do, without a usual port: https://example.com")
    return text


def _path_prefix(path: str) -> str:
    path = path.rstrip("/")
    if path and (not PREFIX.fullmatch(path) or f"{path}/".startswith("/v1/")):
        raise ValueError("write it as /images or /media/images; /v1 is where resources are")
    return path


def _proxy(text: str) -> str:
    """Return `*`, `unix`, or a network; of an address, the network that has it alone."""
    if text in ("*", UNIX):
        return text
    try:
        return str(ip_network(text))
    except ValueError:
        raise ValueError("write addresses and networks: 10.0.0.5, 10.1.0.0/16, or unix") from None


def _prefix(text: str) -> IPv6Network:
    """Return a prefix of one of the lengths that RFC 6052 names."""
    try:
        network = IPv6Network(text)
    except ValueError:
        network = IPv6Network("::/0")
    if network.prefixlen not in (32, 40, 48, 56, 64, 96):
        raise ValueError("write a prefix as 2001:db8:64::/96; its length is 32 to 64, or 96")
    return network


HostNames = Annotated[
    tuple[Annotated[str, AfterValidator(_host_name)], ...], NoDecode, BeforeValidator(_split)
]
Origins = Annotated[
    tuple[Annotated[str, AfterValidator(_origin)], ...], NoDecode, BeforeValidator(_split)
]
Proxies = Annotated[
    tuple[Annotated[str, AfterValidator(_proxy)], ...], NoDecode, BeforeValidator(_split)
]
PathPrefix = Annotated[str, AfterValidator(_path_prefix)]
Prefixes = Annotated[
    tuple[Annotated[IPv6Network, BeforeValidator(_prefix)], ...], NoDecode, BeforeValidator(_split)
]


class PublicPage(StrEnum):
    """Pages beside the images that everybody may see, if the operator wants it."""

    DOCS = "docs"
    """The documents of the HTTP API and of the messages."""
    GUIDE = "guide"
    METRICS = "metrics"


PublicPages = Annotated[tuple[PublicPage, ...], NoDecode, BeforeValidator(_split)]
