"""The file of sources, `DARKROOM_SOURCES`: where images may come from, beside uploads."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from contracts.access.keys import DEFAULT_PROJECT, ProjectName
from contracts.fields import Expected
from contracts.message import Message
from services.gateway.sources.url_patterns import UrlPattern
from services.gateway.toml_tables import LineRefused, line_of, parse_table, parse_tables

SECTION = "sources"
EVERY_PROJECT = "*"

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
_SCHEMES = frozenset({"http", "https"})
_YEAR = 31_536_000  # seconds


def _variable(name: str) -> str:
    """Return the name of a variable of the environment, which has to be set."""
    if not os.environ.get(name):
        raise ValueError("this variable of the environment is not set")
    return name


def _folder(path: Path) -> Path:
    if not path.is_absolute() or not path.is_dir():
        raise ValueError("is not a folder; write its path from / on")
    return path


Variable = Annotated[
    str,
    Field(pattern=r"^[A-Z_][A-Z0-9_]*$", max_length=100),
    Expected("should be up to 100 capital letters, digits and `_`, with no digit first"),
    AfterValidator(_variable),
]
_Seconds = Annotated[int, Field(ge=0, le=_YEAR)]


class SourceTable(Message):
    """Fields of every source."""

    projects: Annotated[
        tuple[ProjectName | Literal["*"], ...],
        Field(min_length=1, description="Projects whose callers may use it; `*` for all."),
    ] = (DEFAULT_PROJECT,)
    connections: Annotated[
        int, Field(ge=1, le=256, description="Originals that a gateway fetches from it at once.")
    ] = 8
    timeout: Annotated[
        float,
        Field(
            gt=0, le=120, description="Seconds for one original, from its name to its last byte."
        ),
    ] = 10.0
    max_bytes: Annotated[
        int | None,
        Field(ge=1, description="Size of the largest original. Left out: `DARKROOM_MAX_BODY`."),
    ] = None
    fresh: Annotated[
        _Seconds,
        Field(
            description="Seconds for which an original is used without asking again, unless its "
            "server says for how long."
        ),
    ] = 60
    stale_while_revalidate: Annotated[
        _Seconds,
        Field(
            description="Seconds after that for which it is used while it is asked for again, "
            "unless its server says so."
        ),
    ] = 0
    stale_if_error: Annotated[
        _Seconds,
        Field(
            description="Seconds after that for which it is used while the source fails, unless "
            "its server says so."
        ),
    ] = 3600
    keep: Annotated[
        int,
        Field(
            ge=60,
            le=_YEAR,
            description="Seconds for which an original is kept after it was last "
            "fetched or found unchanged.",
        ),
    ] = 24 * 3600
    failures: Annotated[
        int,
        Field(
            ge=1,
            le=1000,
            description="Failures in a row after which a server of the source is left alone.",
        ),
    ] = 5
    pause: Annotated[
        float, Field(gt=0, le=3600, description="Seconds for which it is left alone then.")
    ] = 10.0


class HttpsSource(SourceTable):
    """Web servers."""

    kind: Literal["https"]
    allow: Annotated[
        tuple[UrlPattern, ...],
        Field(
            min_length=1, max_length=100, description="Patterns of the URLs that may be fetched."
        ),
    ]
    allow_private: Annotated[
        bool, Field(description="Whether its hosts may have addresses of a private network.")
    ] = False
    authorization_env: Annotated[
        Variable | None,
        Field(
            description="Variable of the environment with the value of `Authorization`, which "
            "only the host of the URL receives, and no host of a redirect."
        ),
    ] = None

    @model_validator(mode="after")
    def _check_private(self) -> "HttpsSource":
        if self.allow_private and any("*" in pattern.host for pattern in self.allow):
            raise ValueError("allow_private needs patterns whose hosts have no *")
        if self.authorization_env and any(pattern.scheme != "https" for pattern in self.allow):
            raise ValueError("authorization_env needs patterns that begin with https://")
        return self


class FolderSource(SourceTable):
    """A folder of the gateway's host."""

    kind: Literal["folder"]
    root: Annotated[Path, AfterValidator(_folder), Field(description="The folder.")]

    @property
    def location(self) -> str:
        """Address under which its paths begin."""
        return str(self.root)


class S3Source(SourceTable):
    """A bucket of S3, or of a server with its protocol."""

    kind: Literal["s3"]
    bucket: Annotated[
        str,
        Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{1,221}$", description="Its name."),
        Expected(
            "should be 2 to 222 letters, digits and characters of `._-`, with a letter or a digit "
            "first"
        ),
    ]
    prefix: Annotated[
        str,
        Field(
            pattern=r"^([A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*)?$",
            description="What the keys of all objects of this source begin with.",
        ),
        Expected(
            "should be names with single slashes between them, each of letters, digits and "
            "characters of `._-`, with no dot first"
        ),
    ] = ""
    endpoint: Annotated[
        str,
        Field(
            pattern=r"^(https?://[^/?#@\s]+)?$",
            description="URL of the server. Left out: the one of the cloud.",
        ),
        Expected("should be http:// or https:// and a host, with a port or not, and no path"),
    ] = ""
    region: Annotated[
        str,
        Field(pattern=r"^[a-z0-9-]*$", description="Its region."),
        Expected("should be lower-case letters, digits and hyphens"),
    ] = ""
    path_style: Annotated[
        bool, Field(description="Whether the bucket is in the path of a URL, and not in its host.")
    ] = True
    access_key_env: Annotated[
        Variable | None, Field(description="Variable of the environment with the access key.")
    ] = None
    secret_key_env: Annotated[
        Variable | None, Field(description="Variable of the environment with the secret key.")
    ] = None

    @model_validator(mode="after")
    def _check_keys(self) -> "S3Source":
        if (self.access_key_env is None) != (self.secret_key_env is None):
            raise ValueError("access_key_env and secret_key_env belong together")
        return self

    @property
    def location(self) -> str:
        """Address under which its paths begin."""
        return f"{self.endpoint}/{self.bucket}/{self.prefix}"


Source = HttpsSource | FolderSource | S3Source
Sources = Mapping[str, Source]

_KINDS: dict[object, type[Source]] = {
    "https": HttpsSource,
    "folder": FolderSource,
    "s3": S3Source,
}


def parse_sources(text: str) -> Sources:
    """Parse the file. Raises LineRefused."""
    sources: dict[str, Source] = {}
    for name, table in parse_tables(text, SECTION).items():
        path = (SECTION, name)
        if not _NAME.fullmatch(name) or name in _SCHEMES:
            reason = (
                f"{name[:40]!r} is no name of a source: use up to 32 lower-case letters, digits and"
                " hyphens, and not http or https"
            )
            raise LineRefused(line_of(text, path), reason)
        model = _KINDS.get(table.get("kind"))
        if model is None:
            reason = f"[{SECTION}.{name}] kind: should be one of {', '.join(map(repr, _KINDS))}"
            raise LineRefused(line_of(text, (*path, "kind")), reason)
        sources[name] = parse_table(text, path, table, model)
    return sources
