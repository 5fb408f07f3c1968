"""Who is compared: each system on each transport it has, and where its packages are."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.servers import Nats, Server, Valkey


@dataclass(frozen=True)
class Contender:
    """A system on one transport. Without `packages` it runs on those of Darkroom itself."""

    system: str
    transport: str
    packages: str | None = None
    server: Callable[[], Server] = Valkey

    @property
    def name(self) -> str:
        return f"{self.system} {self.transport}"


CONTENDERS = (
    Contender("plain", "list"),
    Contender("darkroom", "channel"),
    Contender("darkroom", "list"),
    Contender("darkroom", "stream"),
    Contender("faststream", "channel"),
    Contender("faststream", "list"),
    Contender("faststream", "stream"),
    Contender("taskiq", "stream", packages="taskiq"),
    Contender("arq", "sorted set", packages="arq"),
    Contender("celery", "list", packages="celery"),
    Contender("nats", "subject", packages="nats", server=Nats),
)
