"""The run of a Lua script whose reply goes to a function."""

from collections.abc import Callable, Sequence
from typing import Any

from redis.exceptions import NoScriptError

from services.runtime.redis.replies import LOST
from services.runtime.redis.reply_takers import OnReply
from services.runtime.redis.scripts import Script


class ScriptRun:
    """Takes the replies to a script on behalf of `on_reply`, which gets the outcome.

    A script that Redis does not know is sent in full. With `retry` the script runs once more when
    its connection is lost, so it may run twice.
    """

    __slots__ = ("_args", "_in_full", "_keys", "_on_reply", "_retry", "_script", "_send_soon")

    def __init__(
        self,
        send_soon: Callable[..., None],
        script: Script,
        keys: Sequence[str],
        args: Sequence[Any],
        on_reply: OnReply,
        retry: bool,
    ) -> None:
        """`send_soon` is a multiplexer's."""
        self._send_soon = send_soon
        self._script, self._keys, self._args = script, keys, args
        self._on_reply = on_reply
        self._retry = retry
        self._in_full = False

    def start(self) -> None:
        """Send the script by its digest. Raises as `send_soon`."""
        self._send_soon(self, *self._script.call(self._keys, self._args))

    def __call__(self, reply: Any) -> None:
        """Take a reply, or the exception in its place."""
        if isinstance(reply, NoScriptError) and not self._in_full:
            self._in_full = True
            self._send_soon(self, *self._script.in_full(self._keys, self._args))
        elif self._retry and isinstance(reply, LOST):
            self._retry = self._in_full = False
            self.start()
        else:
            self._on_reply(reply)
