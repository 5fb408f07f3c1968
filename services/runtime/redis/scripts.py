"""Lua scripts, which Redis runs as one step."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from services.runtime.redis.endpoint import Command


class Script:
    """A script, known to Redis by its digest."""

    def __init__(self, text: str, body: str = "") -> None:
        """`body` is the script without its prelude and flags, for scripts that call this one."""
        self._text = text
        self.body = body
        self._sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    def call(self, keys: Sequence[str], args: Sequence[Any] = ()) -> Command:
        """Build the command that runs the script, where Redis knows it."""
        return "EVALSHA", self._sha, len(keys), *keys, *args

    def in_full(self, keys: Sequence[str], args: Sequence[Any] = ()) -> Command:
        """Build the command that runs the script, and has Redis know it from then on."""
        return "EVAL", self._text, len(keys), *keys, *args


@dataclass(frozen=True)
class FollowUp:
    """Commands that a script runs as its last step, if it has done all else that it was asked for.

    They need no trip of their own. The first command that fails is the last one.
    """

    commands: Sequence[Command]
    on_run: Callable[[], None]
    """Called when all of them have run."""

    def arguments(self) -> list[Any]:
        """Return each command, with its number of words before it."""
        return [word for command in self.commands for word in (len(command), *command)]


def load_script(
    package: str,
    *names: str,
    when_full: bool = False,
    functions: Mapping[str, Script] | None = None,
    **constants: str | int,
) -> Script:
    """Load `<name>.lua` of a package, several in order as one script.

    prelude.lua and `constants`, as locals, come first.

    Constants are how keys and limits reach Lua: Python names them, in one place. With `when_full`
    Redis runs the script even when its memory is full: for records of work that was accepted
    before. A script that accepts new work is refused then, before its first write.

    Other scripts can be called as `functions`, by name: `name(KEYS, ARGV)` returns what the script
    returns.
    """
    prelude = files(__package__).joinpath("prelude.lua").read_text()
    texts = [files(package).joinpath(f"{name}.lua").read_text() for name in names]
    flags = ["#!lua flags=allow-oom"] if when_full else []
    called = [
        f"local function {name}(KEYS, ARGV)\n{script.body}\nend"
        for name, script in (functions or {}).items()
    ]
    body = "\n".join([_locals(constants), *texts])
    return Script("\n".join([*flags, prelude, *called, body]), body)


def _locals(constants: Mapping[str, str | int]) -> str:
    return "\n".join(f"local {name} = {_literal(value)}" for name, value in constants.items())


def _literal(value: str | int) -> str:
    if isinstance(value, int):
        return str(value)
    assert value.isprintable(), value
    assert not set(value) & set("'\\"), value
    return f"'{value}'"
