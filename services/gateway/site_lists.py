"""Lists of hosts, origins, prefixes and pages, as a setting has them: separated by commas."""

import re
from enum import StrEnum
from ipaddress import IPv6Network, ip_address
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode

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
