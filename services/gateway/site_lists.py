"""Lists of host names, of origins and of pages, as a setting has them: separated by commas."""

import re
from enum import StrEnum
from ipaddress import ip_address
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


HostNames = Annotated[
    tuple[Annotated[str, AfterValidator(_host_name)], ...], NoDecode, BeforeValidator(_split)
]
Origins = Annotated[
    tuple[Annotated[str, AfterValidator(_origin)], ...], NoDecode, BeforeValidator(_split)
]


class PublicPage(StrEnum):
    """Pages beside the images that everybody may see, if the operator wants it."""

    DOCS = "docs"
    """The documents of the HTTP API and of the messages."""
    GUIDE = "guide"
    METRICS = "metrics"


PublicPages = Annotated[tuple[PublicPage, ...], NoDecode, BeforeValidator(_split)]
