"""Address of Redis and the login: read from `REDIS_URL`, used by every connection."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from redis.connection import parse_url

Command = tuple[Any, ...]
"""A command's name and arguments: str, bytes, int or float each."""

_VERIFICATION = {
    "required": ssl.CERT_REQUIRED,
    "optional": ssl.CERT_OPTIONAL,
    "none": ssl.CERT_NONE,
}


@dataclass(frozen=True)
class Tls:
    """Encryption of a `rediss://` connection: the `ssl_...` options of the URL, as in redis-py.

    The default verifies the server's certificate and its name against the system's authorities.
    """

    cert_reqs: str = "required"
    check_hostname: bool = True
    ca_certs: str | None = None
    ca_path: str | None = None
    certfile: str | None = None
    keyfile: str | None = None
    password: str | None = field(default=None, repr=False)

    def context(self) -> ssl.SSLContext:
        """Make the context. Raises OSError for a file that can't be read."""
        return _context_of(self)


@cache
def _context_of(tls: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.ca_certs, capath=tls.ca_path)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    verification = _VERIFICATION[tls.cert_reqs]
    context.check_hostname = tls.check_hostname and verification is not ssl.CERT_NONE
    context.verify_mode = verification
    if tls.certfile is not None:
        context.load_cert_chain(tls.certfile, tls.keyfile, tls.password)
    return context


@dataclass(frozen=True)
class Endpoint:
    """A Redis server's address and the login for it."""

    host: str = "localhost"
    port: int = 6379
    path: str | None = None  # a Unix socket, instead of host and port
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    database: int = 0
    client_name: str | None = None
    tls: Tls | None = None
    connect_timeout: float = 2.0  # seconds
    reply_timeout: float = 5.0  # seconds of silence after which an awaited connection is lost

    def __str__(self) -> str:
        """The address without the login: safe to log."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.path or f"{host}:{self.port}"

    def handshake(self) -> list[Command]:
        """List the commands that begin a connection: RESP 3, the login, the database."""
        login: Command = ()
        if self.username is not None or self.password is not None:
            login = ("AUTH", self.username or "default", self.password or "")
        name = () if self.client_name is None else ("SETNAME", self.client_name)
        commands: list[Command] = [("HELLO", 3, *login, *name)]
        if self.database:
            commands.append(("SELECT", self.database))
        return commands


def endpoint_of(url: str, *, reply_timeout: float = 5.0) -> Endpoint:
    """Parse a `redis://`, `rediss://` or `unix://` URL.

    Options in the query that are about more than the place (timeouts, decoding, retries, the
    protocol's version) are ignored: this code decides them. Raises ValueError for a URL that can't
    be read, or an `ssl_...` option that is unknown: to ignore one could weaken the encryption.
    """
    try:
        parsed: Mapping[str, Any] = parse_url(url)  # type: ignore[no-untyped-call]  # of redis-py
    except ValueError:
        # Its message may quote a part of the password.
        reason = "REDIS_URL is not redis://user:password@host:port/database; %-encode a / or @."
        raise ValueError(reason) from None
    options = [name for name in parsed if name.startswith("ssl_")]
    if options and not url.startswith("rediss://"):
        raise ValueError(f"REDIS_URL has {options[0]}, which needs rediss:// in place of redis://.")
    tls = _tls_of(parsed) if url.startswith("rediss://") else None
    place = {name: parsed[name] for name in _PLACE if parsed.get(name) is not None}
    database = int(parsed.get("db", 0))
    return Endpoint(**place, database=database, tls=tls, reply_timeout=reply_timeout)


_PLACE = ("host", "port", "path", "username", "password", "client_name")


def _tls_of(parsed: Mapping[str, Any]) -> Tls:
    options = {
        name.removeprefix("ssl_"): value
        for name, value in parsed.items()
        if name.startswith("ssl_")
    }
    if unknown := options.keys() - Tls.__dataclass_fields__.keys():
        raise ValueError(f"REDIS_URL has unknown options: {', '.join(sorted(unknown))}.")
    if (cert_reqs := options.get("cert_reqs", "required")) not in _VERIFICATION:
        raise ValueError(f"ssl_cert_reqs is none, optional or required, and not {cert_reqs!r}.")
    if "check_hostname" in options:
        options["check_hostname"] = str(options["check_hostname"]).lower() in ("true", "yes", "1")
    return Tls(**options)
