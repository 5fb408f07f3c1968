"""The originals that clients name: `https://img.example.com/a.jpg`, or `site:a.jpg`."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import unquote

from contracts.errors import InvalidRequest, SourceRefused
from services.gateway.sources.configuration import EVERY_PROJECT, HttpsSource, Source, Sources
from services.gateway.sources.url_patterns import parse_url

LONGEST = 2048
"""Characters of a name."""

_URL = re.compile(r"https?:", re.IGNORECASE)
_OTHER_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_NAMED = re.compile(r"([a-z0-9-]{1,32}):(.*)", re.DOTALL)
_SEGMENT = r"[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]{0,254}"
_PATH = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*")


@dataclass(frozen=True, slots=True)
class Address:
    """Normalised address of an original, and the source that it comes from."""

    project: str
    source: str
    """The name of the source."""
    place: str
    """A URL, or a path in the source."""
    location: str = ""
    """Address under which its paths begin: another folder of the same name is another source."""

    @property
    def file_name(self) -> str:
        """The last name of its path."""
        if "://" not in self.place:
            return self.place.rpartition("/")[2]
        return unquote(self.place.partition("?")[0].rpartition("/")[2])

    @property
    def key(self) -> str:
        """The address as it is part of names in Redis."""
        named = f"{self.project}\n{self.source}\n{self.location}\n{self.place}"
        return sha256(named.encode()).hexdigest()


def find_address(
    text: str, sources: Sources, project: str, among: Collection[str] | None = None
) -> Address:
    """Return the address that a text means for the callers of a project, or for some sources of it.

    Raises InvalidRequest for a malformed one, and SourceRefused for one that no source allows: in
    the same words for a source of another project.
    """
    own = {
        name: source
        for name, source in sources.items()
        if (project in source.projects or EVERY_PROJECT in source.projects)
        and (among is None or name in among)
    }
    if _URL.match(text):
        url = parse_url(text)
        for name, source in own.items():
            if isinstance(source, HttpsSource) and any(one.allows(url) for one in source.allow):
                return Address(project, name, str(url))
        raise SourceRefused("No source allows this URL.")
    if _OTHER_URL.match(text):
        raise InvalidRequest(
            "A URL begins with https://, or with http:// where a source allows that."
        )
    match = _NAMED.fullmatch(text)
    if match is None:
        raise InvalidRequest(
            "Name an image as https://host/path, or by a source and a path: site:kitchen.jpg."
        )
    name, path = match.groups()
    found: Source | None = own.get(name)
    if found is None:
        raise SourceRefused(f"There is no source {name!r}.")
    if isinstance(found, HttpsSource):
        raise InvalidRequest(f"The images of the source {name!r} are named by their URLs.")
    if len(text) > LONGEST or not _PATH.fullmatch(path):
        raise InvalidRequest(
            "A path has names with single slashes between them, and no name begins with a dot."
        )
    return Address(project, name, path, found.location)
