"""The Redis user of pool processes: it may read and write images and results, and nothing else.

A pool process decodes files of strangers. Whoever takes it over can reach the store with its login.
"""

from services.runtime.redis import keys
from services.runtime.storage.records import Kind

POOL_USER = "darkroom-pool"

_COMMANDS = (
    "hget",
    "hmget",
    "hgetall",
    "hset",
    "expire",
    "zadd",
    "zremrangebyscore",
    "exists",
    "multi",
    "exec",
    "select",
)

POOL_RULES = (
    *("reset", "on"),
    *(f"~{keys.blob(kind, '*')}" for kind in Kind),
    *(f"+{command}" for command in _COMMANDS),
)
"""The rules of `ACL SETUSER`, without a password."""
