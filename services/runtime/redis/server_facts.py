"""Facts that Redis reports of itself: version, eviction, persistence and memory, from `INFO`."""

from dataclasses import dataclass

MIN_VERSION = (7, 0)
"""Redis 7.0 brought BLMPOP, EXPIRE with NX and GT, and flags of scripts. Valkey has them all."""

NO_EVICTION = "noeviction"


@dataclass(frozen=True)
class ServerFacts:
    """The parts of `INFO` that decide whether Redis can keep what Darkroom promises."""

    version: str
    policy: str
    used_memory: int
    maxmemory: int
    append_only: bool
    last_save_failed: bool

    @property
    def old(self) -> bool:
        """True if this Redis lacks commands that Darkroom needs."""
        numbers = [int(part) for part in self.version.split(".")[:2] if part.isdecimal()]
        return tuple(numbers) < MIN_VERSION

    @property
    def memory(self) -> float:
        """Return the used part of `maxmemory`, from 0 to about 1; 0 without a limit."""
        return self.used_memory / self.maxmemory if self.maxmemory else 0.0


def facts_from(info: str) -> ServerFacts:
    """Read the reply of `INFO`. A field that a server leaves out gets its harmless value.

    Servers in the cloud refuse CONFIG, so all of this comes from INFO. Raises ValueError for a
    number that is none.
    """
    pairs = (line.partition(":") for line in info.splitlines() if not line.startswith("#"))
    fields = {name: value.strip() for name, _, value in pairs}
    return ServerFacts(
        version=fields.get("redis_version", "0"),
        policy=fields.get("maxmemory_policy", NO_EVICTION),
        used_memory=int(fields.get("used_memory", 0)),
        maxmemory=int(fields.get("maxmemory", 0)),
        append_only=fields.get("aof_enabled") == "1",
        last_save_failed=fields.get("rdb_last_bgsave_status", "ok") != "ok",
    )
