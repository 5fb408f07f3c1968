"""A pool process: `python -m services.imaging.pool.child`, with a socket as standard input.

The first frame is a `Setup`, and each further one a call, which is answered before the next one.
The process ends when the socket is closed.
"""

import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from services.imaging.pool import tasks
from services.imaging.pool.call_images import CallImages
from services.imaging.pool.child_settings import ChildSettings
from services.imaging.pool.messages import (
    ANSWER_HEADER,
    CALL_HEADER,
    CALLS,
    MAX_IMAGES,
    MAX_TEXT,
    Answer,
    Ready,
    Setup,
    out_of_memory,
)
from services.imaging.pool.sandbox import limits
from services.imaging.pool.sandbox.enter import enter
from services.imaging.pool.yielding import Yielding

_STDERR = 2  # the file descriptor: C libraries write past Python's sys.stderr
_READ_SIZE = 64 << 10  # bytes: most calls are shorter
_COPIED = 256 << 10  # bytes of renditions that are sent with the JSON of an answer, in one write
_REST_AFTER = 1.0  # seconds without a call

Perform = Callable[[Any, CallImages, ChildSettings], Answer[Any]]


def serve(
    calls: TypeAdapter[Any],
    perform: Perform,
    warm_up: Callable[[ChildSettings], None],
    rest: Callable[[], None],
) -> None:
    """Answer the calls that arrive at standard input with `perform`; return when it is closed.

    `rest` is done when no call has come for a second.
    """
    # Ctrl-C goes to the whole process group, and the service finishes its work in progress.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    first = _receive(connection)
    if first is None:
        return
    setup = Setup.model_validate_json(first.text)
    null = os.open(os.devnull, os.O_WRONLY)
    yielding = Yielding()
    missing = enter(setup.settings, parent=setup.parent)
    warm_up(setup.settings)
    # Decoders write warnings about damaged files; until here, errors are the service's to show.
    os.dup2(null, _STDERR)
    _send(connection, Ready(missing=missing).model_dump_json())
    while frame := _next(connection, rest):
        call = calls.validate_json(frame.text)
        limits.allow_cpu(frame.seconds)
        yielding.begin()
        answer = _answer(call, perform, frame, setup.settings)
        yielding.end(len(answer.outcomes))
        _send(connection, answer.model_dump_json(), answer.attachments)
        del answer  # and the renditions


@dataclass(frozen=True)
class _Frame:
    """A call as it came, with the descriptors of its images, or their bytes."""

    text: bytes
    seconds: int
    descriptors: Sequence[int]
    inside: memoryview


def _answer(call: Any, perform: Perform, frame: _Frame, settings: ChildSettings) -> Answer[Any]:
    """Perform a call, close its descriptors, and return its answer.

    No exception and no frame of it is kept.
    """
    try:
        images = CallImages(call.images, frame.descriptors, frame.inside)
        answer = perform(call, images, settings)
    except MemoryError:
        answer = Answer(outcomes=(out_of_memory(settings),), exhausted=True)
    except Exception:
        answer = Answer(bug=traceback.format_exc()[-MAX_TEXT:])
    finally:
        for descriptor in frame.descriptors:
            os.close(descriptor)
    return answer.model_copy(update={"resident": limits.resident()})


def _next(connection: socket.socket, rest: Callable[[], None]) -> _Frame | None:
    """Return the next frame as `_receive` does, and rest if it is long in coming."""
    readable, _, _ = select.select([connection], [], [], _REST_AFTER)
    if not readable:
        rest()
    return _receive(connection)


def _receive(connection: socket.socket) -> _Frame | None:
    """Return the next frame; None if the service has closed the connection."""
    # The next call comes after the answer to this one, so nothing of it is read here.
    first, descriptors, _, _ = socket.recv_fds(connection, _READ_SIZE, MAX_IMAGES)
    received = bytearray(first)
    if not received:
        return None
    _receive_up_to(connection, received, CALL_HEADER.size)
    length, inside, seconds = CALL_HEADER.unpack_from(received)
    end = CALL_HEADER.size + length
    _receive_up_to(connection, received, end + inside)
    whole = memoryview(received)
    return _Frame(bytes(whole[CALL_HEADER.size : end]), seconds, descriptors, whole[end:])


def _receive_up_to(connection: socket.socket, received: bytearray, size: int) -> None:
    while len(received) < size:
        if not (part := connection.recv(size - len(received))):
            raise EOFError("the service closed the connection within a frame")
        received += part


def _send(connection: socket.socket, text: str, attachments: Sequence[bytes] = ()) -> None:
    body, size = text.encode(), sum(map(len, attachments))
    frame = ANSWER_HEADER.pack(len(body), size) + body
    if size <= _COPIED:
        # Each write wakes the service, which costs more than a copy.
        frame = b"".join((frame, *attachments))
        attachments = ()
    connection.sendall(frame)
    for attachment in attachments:
        connection.sendall(attachment)


if __name__ == "__main__":
    serve(CALLS, tasks.perform, tasks.warm_up, tasks.rest)
