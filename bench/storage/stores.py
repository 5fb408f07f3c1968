"""The stores that are compared: what the services need to use each of them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench.s3_servers import CREDENTIALS, Moto, Nanio, S3Server


@dataclass(frozen=True)
class Ready:
    """A store that can be used."""

    url: str
    environment: Mapping[str, str] = field(default_factory=dict)
    processes: Mapping[str, int] = field(default_factory=dict)
    """Process ids of its own server, by name."""


@dataclass(frozen=True)
class Contender:
    """A store by its name in the results; `start` gets an empty folder.

    `packages` is the name of the lock file of its server, which is installed before.
    """

    name: str
    start: Callable[[Path], AbstractContextManager[Ready]]
    packages: str | None = None


@contextmanager
def _redis(_: Path) -> Iterator[Ready]:
    yield Ready("redis:")


@contextmanager
def _disk(folder: Path) -> Iterator[Ready]:
    yield Ready(f"file://{folder}")


@contextmanager
def _s3(make: Callable[[], S3Server], _: Path) -> Iterator[Ready]:
    with make() as server:
        yield Ready(server.store("store"), CREDENTIALS, {"S3 server": server.pid})


REDIS = Contender("redis", _redis)
DISK = Contender("disk", _disk)
CONTENDERS = (
    REDIS,
    DISK,
    Contender("s3 moto", partial(_s3, Moto), packages="s3"),
    Contender("s3 nanio", partial(_s3, Nanio), packages="s3"),
)
