"""Patterns of URLs that a source allows: `https://img.example.com/photos/*`."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

import httpx
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from contracts.errors import InvalidRequest

PORTS = {"http": 80, "https": 443}
"""The port of a URL that names none."""

_LONGEST = 2048  # characters of a URL
_DECODED = 4  # times that a path is decoded, as servers one behind the other do it
_PATTERN = re.compile(
    r"(?P<scheme>https?)://(?P<host>\*|(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?(?P<path>/[\x21\x24-\x3e\x40-\x7e]*)"
)
_HOW = (
    "write a pattern as https://img.example.com/photos/*: the host in lower case, perhaps with *."
    " before it, and a path in which * stands for anything"
)


@dataclass(frozen=True)
class UrlPattern:
    """A pattern: `*` stands for any host, `*.` for any name below one; `*` for any text of a path.

    The query of a URL counts as text of its path: only a `*` allows one.
    """

    text: str
    scheme: str
    host: str
    port: int
    path: re.Pattern[str]

    @classmethod
    def parse(cls, text: str) -> "UrlPattern":
        """Parse a pattern. Raises ValueError with a sentence for people."""
        match = _PATTERN.fullmatch(text)
        if match is None or int(match["port"] or 1) > 65_535:
            raise ValueError(_HOW)
        path = ".*".join(re.escape(part) for part in match["path"].split("*"))
        port = int(match["port"] or PORTS[match["scheme"]])
        host = match["host"].strip("[]")
        return cls(text, match["scheme"], host, port, re.compile(path, re.DOTALL))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Have models parse a text."""
        return core_schema.no_info_after_validator_function(cls.parse, core_schema.str_schema())

    def allows(self, url: httpx.URL) -> bool:
        """Return whether a URL of `parse_url` fits the pattern."""
        if url.scheme != self.scheme or port_of(url) != self.port:
            return False
        host = url.raw_host.decode()
        if self.host.startswith("*."):
            fits = host.endswith(self.host[1:])
        else:
            fits = self.host in ("*", host)
        return fits and self.path.fullmatch(url.raw_path.decode()) is not None


def port_of(url: httpx.URL) -> int:
    """Return the port of a URL of `parse_url`."""
    return PORTS[url.scheme] if url.port is None else url.port


def parse_url(text: str) -> httpx.URL:
    """Return a URL in one way of writing, without its fragment.

    Raises InvalidRequest for one that is malformed or too long, has a name or a password, or could
    lead a server out of the folder that its path begins with.
    """
    if len(text) > _LONGEST:
        raise InvalidRequest(f"The URL may have {_LONGEST:,} characters at most.")
    try:
        url = httpx.URL(text).copy_with(fragment=None)
        host = url.host
    except (httpx.InvalidURL, UnicodeError) as exc:
        raise InvalidRequest("The URL is malformed; write it as https://host/path.") from exc
    if url.scheme not in PORTS or not host:
        raise InvalidRequest("The URL needs a host and http or https: https://host/path.")
    if url.userinfo:
        raise InvalidRequest("Leave name and password out of the URL.")
    if host.endswith("."):
        raise InvalidRequest("Write the host without a dot at its end.")
    _refuse_unsafe_path(url.raw_path.partition(b"?")[0])
    return url


def _refuse_unsafe_path(path: bytes) -> None:
    """Raise InvalidRequest for a path that some server could read in another way than a pattern.

    One server decodes a path that another one has decoded before, and some ignore the text from a
    `;` on, so that `/..;/` and `/%252e%252e/` lead out of a folder, too.
    """
    slashes = path.count(b"/")
    for _ in range(_DECODED):
        decoded = unquote_to_bytes(path)
        if decoded == path:
            break
        path = decoded
    else:
        raise InvalidRequest("The path of the URL is encoded too many times.")
    names = {segment.partition(b";")[0] for segment in path.split(b"/")}
    if {b".", b".."} & names or b"\\" in path or any(byte < 32 or byte == 127 for byte in path):
        raise InvalidRequest(
            "The path of the URL may have no `..`, backslash or control character."
        )
    if path.count(b"/") != slashes:
        raise InvalidRequest("The path of the URL may have no encoded slash.")
