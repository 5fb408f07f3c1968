"""A pool process for tests: `python -m tests.imaging.pool.acting_child` does what a call tells it.

It has the sandbox, the frames and the answers of the real one.
"""

import ctypes
import os
import resource
import signal
import socket
import time
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Literal, Self

from pydantic import TypeAdapter

from contracts.errors import ImageTooBig, OutOfMemory
from contracts.message import Message
from services.imaging.pool import child
from services.imaging.pool.call_images import CallImages
from services.imaging.pool.child_settings import ChildSettings
from services.imaging.pool.executor import Executor
from services.imaging.pool.messages import MAX_IMAGES, Answer, Call, Corrupt, Heavy

Action = Literal[
    "attack",
    "answer_garbage",
    "answer_much",
    "answer_twice",
    "blame",
    "break",
    "compute_and_sleep",
    "count_files",
    "crash",
    "exhaust",
    "heavy_sleep",
    "hold",
    "nothing",
    "read",
    "refuse",
    "sleep",
    "spin",
    "write_to_stderr",
]


class Done(Message):
    """The outcome of an act."""

    pid: int
    text: str = ""


class Act(Call[Done]):
    """Do `action`; `amount` counts in seconds or MiB. Then answer with the process's id.

    The answer has it as often as `outcomes` says. Then the acts of `others` are done, with outcomes
    of their own, for as long as there is time.
    """

    answer = Answer[Done]

    action: Action
    amount: float = 0
    outcomes: int = 1
    target: str = ""
    only_if_used: bool = False
    joins: bool = False
    others: tuple["Act", ...] = ()

    @property
    def parts(self) -> int:
        """Return the number of outcomes."""
        return self.outcomes + len(self.others)

    @property
    def may_repeat(self) -> bool:
        """Return False for several acts."""
        return not self.others

    @property
    def may_join(self) -> bool:
        """Return whether the test wants it."""
        return self.joins

    def with_parts_of(self, others: Sequence[Self]) -> Self:
        """Return a call with the acts of others behind this one."""
        return self.model_copy(update={"others": tuple(others)})


async def done_by(executor: Executor, call: Act, *, timeout: float = 10) -> Done:
    """Have a pool process do a call, and return its outcome."""
    [outcome, *_], _ = await executor.run(call, timeout=timeout)
    assert isinstance(outcome, Done)
    return outcome


def _open_socket(kind: str) -> None:
    family, type = kind.split()
    with socket.socket(getattr(socket, family), getattr(socket, type)):
        pass


def _open_pair(kind: str) -> None:
    for made in socket.socketpair(socket.AF_UNIX, getattr(socket, kind)):
        made.close()


def _send_a_file(_: str) -> None:
    with socket.socket(fileno=os.dup(_SOCKET)) as connection:
        socket.send_fds(connection, [b"x"], [2])


def _limit(pid: str) -> None:
    resource.prlimit(int(pid), resource.RLIMIT_NOFILE, (64, 64))


def _share_memory(_: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.shmget(0, 4096, 0o1600) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _execute_memory(_: str) -> None:
    file = os.memfd_create("program")
    os.execve(file, ["true"], {})


def _fork(_: str) -> None:
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)


def _start_thread(_: str) -> None:
    thread = Thread(target=time.sleep, args=(0,))
    thread.start()
    thread.join()


ATTACKS: dict[str, Callable[[str], None]] = {
    "read": lambda path: Path(path).open("rb").close(),
    "list": lambda path: [*Path(path).iterdir()].clear(),
    "write": lambda path: Path(path).open("wb").close(),
    "execute": lambda path: os.execv(path, [path]),
    "execute_memory": _execute_memory,
    "send_a_file": _send_a_file,
    "socket": _open_socket,
    "pair": _open_pair,
    "limit": _limit,
    "share_memory": _share_memory,
    "change_mode": lambda path: os.chmod(path, 0o777),
    "change_times": lambda path: os.utime(path, (0, 0)),
    "fork": _fork,
    "thread": _start_thread,
    "kill": lambda pid: os.kill(int(pid), signal.SIGTERM),
}
"""Attempts at what a pool process must not do, by name; each takes a target."""

_SOCKET = 0  # the file descriptor


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


_held: list[bytearray] = []
_calls = count(1)


def act_all(call: Act, images: CallImages, settings: ChildSettings) -> Answer[Done]:
    """Do an act and those of the others, until one has taken long or all memory."""
    answer = act(call, images, settings)
    for other in call.others:
        if answer.exhausted or call.action == "sleep":
            break
        call = other.model_copy(update={"budget": call.budget})
        its = act(call, images, settings)
        if its.exhausted:
            # As the real one: who takes all memory behind others has no outcome.
            return answer.model_copy(update={"exhausted": True})
        outcomes = (*answer.outcomes, *its.outcomes)
        answer = its.model_copy(update={"outcomes": outcomes})
    return answer


def act(call: Act, images: CallImages, settings: ChildSettings) -> Answer[Done]:
    """Do what the call tells; with `only_if_used` only if this is not the process's first call."""
    text = ""
    is_first = next(_calls) == 1
    match "nothing" if call.only_if_used and is_first else call.action:
        case "answer_garbage":
            os.write(_SOCKET, b"\0\0\0\x05{[}]!")
        case "answer_much":
            os.write(_SOCKET, b"\xff" * 8)
        case "answer_twice":
            return Answer[Done](outcomes=(Done(pid=0), Done(pid=0)))
        case "blame":
            return Answer[Done](outcomes=(Corrupt(corrupt=call.target or "f" * 64),))
        case "attack":
            kind, _, target = call.target.partition(" ")
            try:
                ATTACKS[kind](target)
            except OSError as exc:
                text = str(exc.strerror)
            else:
                text = "done"
        case "break":
            raise ZeroDivisionError("a bug")
        case "compute_and_sleep":
            end = time.process_time() + 0.02
            while time.process_time() < end:
                pass
            time.sleep(call.amount)
        case "count_files":
            text = str(sum(map(_is_open, range(2 * MAX_IMAGES))))
        case "crash":
            ctypes.string_at(0)
        case "exhaust":
            failure = OutOfMemory("It takes too much.").failure()
            return Answer[Done](outcomes=(failure,), exhausted=True)
        case "heavy_sleep":
            if call.budget is not None:
                return Answer[Done](outcomes=(Heavy(seconds=60),))
            time.sleep(call.amount)
        case "hold":
            _held.append(bytearray(os.urandom(1 << 20) * round(call.amount)))
        case "read":
            keys = [call.target] if call.target else [image.key for image in call.images]
            text = " ".join(images.read(key).decode() for key in keys)
        case "refuse":
            return Answer[Done](outcomes=(ImageTooBig("It is huge.", retry_after=7).failure(),))
        case "sleep":
            time.sleep(call.amount)
        case "spin":
            while True:
                pass
        case "write_to_stderr":
            # As a C library does, without sys.stderr.
            os.write(2, bytes(round(call.amount) << 20))
    return Answer[Done](outcomes=(Done(pid=os.getpid(), text=text),) * call.outcomes)


if __name__ == "__main__":
    child.serve(TypeAdapter(Act), act_all, lambda settings: None, lambda: None)
