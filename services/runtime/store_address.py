"""The address of a store of bytes, `DARKROOM_STORE`, taken apart."""

import posixpath
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

HOW_TO_WRITE: Final = (
    "write file:///absolute/path, s3://bucket/prefix, gs://bucket/prefix, az://container/prefix,"
    " or redis:"
)
_OPTIONS: Final = {
    "s3": frozenset({"endpoint", "region", "path_style"}),
    "gs": frozenset[str](),
    "az": frozenset({"account", "endpoint"}),
}
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,221}")
_PREFIX = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9._-]*/)*[A-Za-z0-9_-][A-Za-z0-9._-]*")
_TRUTH: Final = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True)
class StoreAddress:
    """A store by its parts."""

    scheme: str
    """`file`, `s3`, `gs`, `az` or `redis`."""
    path: str = ""
    """The folder of a disk store; the prefix of a bucket's paths, without slashes at its ends."""
    bucket: str = ""
    """The bucket, or Azure's container."""
    endpoint: str = ""
    """URL of the server, without the bucket; empty for the one of the cloud."""
    region: str = ""
    account: str = ""
    """Azure's storage account; empty for the one of the environment."""
    path_style: bool = True
    """True if the bucket is in the path of a URL, and not in its host."""

    def __str__(self) -> str:
        if self.scheme == "redis":
            return "redis:"
        if self.scheme == "file":
            return f"file://{self.path}"
        server = f"?endpoint={self.endpoint}" if self.endpoint else ""
        return f"{self.scheme}://{self.bucket}/{self.path}".rstrip("/") + server


def parse_store(url: str) -> StoreAddress:
    """Take a URL of a store apart. Raises ValueError with a sentence on how to write one."""
    try:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
    except ValueError:
        raise ValueError(HOW_TO_WRITE) from None
    if "@" in parts.netloc:
        raise ValueError(
            "write no credentials into the URL of the store: they belong into the usual variables,"
            " such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    match parts.scheme:
        case "redis" if url == "redis:":
            return StoreAddress("redis")
        case "file":
            return _disk(parts.netloc, unquote(parts.path), options)
        case "s3" | "gs" | "az":
            return _bucket(parts.scheme, parts.netloc, parts.path, options)
        case _:
            raise ValueError(HOW_TO_WRITE)


def _disk(host: str, path: str, options: dict[str, str]) -> StoreAddress:
    if host or options or posixpath.normpath(path) in ("/", "."):
        raise ValueError("write a disk store with three slashes: file:///absolute/path")
    return StoreAddress("file", posixpath.normpath("/" + path.lstrip("/")))


def _bucket(scheme: str, bucket: str, path: str, options: dict[str, str]) -> StoreAddress:
    prefix = path.strip("/")
    if not _BUCKET.fullmatch(bucket) or (prefix and not _PREFIX.fullmatch(prefix)):
        raise ValueError(f"write it as {scheme}://bucket/prefix, with plain names in the prefix")
    known = _OPTIONS[scheme]
    if not options.keys() <= known:
        raise ValueError(f"{scheme}:// takes these options: {', '.join(sorted(known)) or 'none'}")
    endpoint = options.get("endpoint", "")
    if endpoint and not re.fullmatch(r"https?://[^/?#@\s]+", endpoint.rstrip("/")):
        raise ValueError("write the endpoint as https://host or http://host:port")
    path_style = _TRUTH.get(options.get("path_style", "true").lower())
    if path_style is None:
        raise ValueError("write path_style=true or path_style=false")
    return StoreAddress(
        scheme,
        prefix,
        bucket,
        endpoint.rstrip("/"),
        options.get("region", ""),
        options.get("account", ""),
        path_style,
    )
