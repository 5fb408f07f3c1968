"""A pool process: `python -m services.imaging.pool.child`, with a socket as standard input.

The first frame is a `Setup`, and each further one a call, which is answered before the next one.
The process ends when the socket is closed.
"""

import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter
from redis.exceptions import RedisError

from services.imaging.pool import tasks
from services.imaging.pool.messages import (
    ANSWER_HEADER,
    CALL_HEADER,
    CALLS,
    MAX_TEXT,
    Answer,
    Broken,
    Ready,
    Setup,
    out_of_memory,
)
from services.imaging.pool.sandbox import limits
from services.imaging.pool.sandbox.enter import enter
from services.imaging.settings import ImagingSettings
from services.runtime.redis.replies import LOST

_STDERR = 2  # the file descriptor: C libraries write past Python's sys.stderr

Perform = Callable[[Any, ImagingSettings], Answer[Any]]


def serve(
    calls: TypeAdapter[Any],
    perform: Perform,
    warm_up: Callable[[ImagingSettings], None],
) -> None:
    """Answer the calls that arrive at standard input with `perform`; return when it is closed."""
    # Ctrl-C goes to the whole process group, and the service finishes its work in progress.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    (length,) = ANSWER_HEADER.unpack(_receive(connection, ANSWER_HEADER.size))
    setup = Setup.model_validate_json(_receive(connection, length))
    null = os.open(os.devnull, os.O_WRONLY)
    missing = enter(setup.settings, parent=setup.parent)
    warm_up(setup.settings)
    # Decoders write warnings about damaged files; until here, errors are the service's to show.
    os.dup2(null, _STDERR)
    _send(connection, Ready(missing=missing).model_dump_json())
    while header := _receive(connection, CALL_HEADER.size, may_end=True):
        length, seconds = CALL_HEADER.unpack(header)
        call = calls.validate_json(_receive(connection, length))
        limits.allow_cpu(seconds)
        _send(connection, _answer(call, perform, setup.settings))


def _answer(call: Any, perform: Perform, settings: ImagingSettings) -> str:
    """Perform a call, and return its answer as JSON; no exception and no frame of it is kept."""
    try:
        answer = perform(call, settings)
    except MemoryError:
        answer = Answer(outcomes=(out_of_memory(settings),), exhausted=True)
    except LOST as exc:
        answer = Answer(broken=Broken(kind="store_lost", reason=str(exc)[:MAX_TEXT]))
    except RedisError as exc:
        answer = Answer(broken=Broken(kind="store_refused", reason=str(exc)[:MAX_TEXT]))
    except Exception:
        answer = Answer(broken=Broken(kind="bug", reason=traceback.format_exc()[-MAX_TEXT:]))
    return answer.model_copy(update={"resident": limits.resident()}).model_dump_json()


def _send(connection: socket.socket, text: str) -> None:
    body = text.encode()
    connection.sendall(ANSWER_HEADER.pack(len(body)) + body)


def _receive(connection: socket.socket, size: int, *, may_end: bool = False) -> bytes:
    """Return the next `size` bytes; with `may_end`, nothing if the connection ends before them."""
    received = bytearray()
    while len(received) < size:
        if not (part := connection.recv(size - len(received))):
            if may_end and not received:
                break
            raise EOFError("the service closed the connection within a frame")
        received += part
    return bytes(received)


if __name__ == "__main__":
    serve(CALLS, tasks.perform, tasks.warm_up)
