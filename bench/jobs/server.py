"""The Valkey of a system: it writes down what it is told, every second, as one with jobs should."""

from typing import Any, ClassVar

from bench.servers import Valkey


class DurableValkey(Valkey):
    """A valkey-server with an append-only file, which goes with it."""

    config: ClassVar[dict[str, str | int]] = {
        "save": "",
        "appendonly": "yes",
        "appendfsync": "everysec",
        # So that no system's run has a rewrite in it that another's has not.
        "auto-aof-rewrite-percentage": 0,
    }

    def cpu(self) -> float:
        """Seconds of CPU time that it has used."""
        used: Any = self._redis.info("cpu")
        return float(used["used_cpu_sys"]) + float(used["used_cpu_user"])
