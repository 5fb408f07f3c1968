"""The systems that are compared, on each of their transports."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.servers import Nats, Server, Valkey


@dataclass(frozen=True)
class Contender:
    """A system on one transport.

    `system` is a module of `bench.rpc.systems`; `packages` is a lock file's name, or None for
    Darkroom's own packages; `server` starts the server between caller and worker.
    """

    system: str
    transport: str
    packages: str | None = None
    server: Callable[[], Server] = Valkey

    @property
    def name(self) -> str:
        """The contender's name in the results."""
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
