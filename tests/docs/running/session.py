"""Run the blocks of a page in one bash session, and end everything that they started."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

import httpx

from tests.docs.running.commands import Block, Page
from tests.docs.running.places import Places
from tests.docs.running.tools import Tools
from tests.processes import HTTP, ROOT, load_of_a_core

BLOCK_SECONDS = 60.0  # times the load of a core, and so the next one
PAGE_SECONDS = 180.0
STOP_SECONDS = 30.0  # a service takes up to 25 to finish its work
OUTPUT_LINES = 40  # the last lines of a block's output that a failure shows

_MYPY_CACHE = ROOT / ".mypy_cache"

# Ctrl-C, a failure and the death of pytest end the session: bash ends what it has started, and
# waits for it. A subshell gets `TERM` as well, and waits for its command before it ends.
_PRELUDE = """\
set -euo pipefail
trap 'exit 143' TERM
trap 'trap "" TERM; kill -TERM 0 $(jobs -p) || true; wait' EXIT
"""

_KEEPS_RUNNING = """\
(trap 'exit 143' TERM; trap 'echo $? > {path}.ended' EXIT; source {path}) \
> {path}.out 2>&1 < /dev/null &
: > {path}.done
"""


class CommandFailed(AssertionError):
    """A block failed; the text has the page, the line, the block, the reason and the output."""


class Session:
    """A context manager: bash in the root of a checkout, with a folder in the place of `/tmp`.

    `ports` maps documented ports to the ports of running services; all others become free ones.
    """

    def __init__(
        self, page: Page, folder: Path, checkout: Path, ports: Mapping[int, int] | None = None
    ) -> None:
        self._page = page
        self._folder = folder / "tmp"
        self._tools = Tools(folder / "tools", checkout)
        self._steps = folder / "steps"
        self._checkout = checkout
        self._places = Places(page, self._folder, ports or {})
        self._mark = f"DARKROOM_DOCS_SESSION={uuid4().hex}"
        self._running: list[tuple[Block, Path]] = []
        self._last: tuple[Block, Path] | None = None  # that has been run to its end
        self._in_block = False
        self._begun = time.monotonic()

    def __enter__(self) -> Self:
        self._folder.mkdir()
        self._steps.mkdir()
        if any("make check" in block.text for block in self._page.blocks) and _MYPY_CACHE.exists():
            # A copy: two runs of mypy at once would damage one. Without it, a run takes half a
            # minute.
            shutil.copytree(_MYPY_CACHE, self._folder / _MYPY_CACHE.name)
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=self._checkout,
            env=self._environment(),
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._tell(_PRELUDE)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._bash.stdin is not None
        try:
            if self._in_block:
                with suppress(ProcessLookupError):
                    os.killpg(self._bash.pid, signal.SIGTERM)
            # Bash ends at the end of its input. A SIGTERM then would interrupt its last `wait`.
            with suppress(BrokenPipeError):
                self._bash.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                self._bash.wait(STOP_SECONDS)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self._bash.pid, signal.SIGKILL)
            for pid in self._left_over():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._bash.wait()

    def run(self) -> None:
        """Run all blocks, and require that what keeps running still does at the end.

        Raises CommandFailed with the first failure.
        """
        if self._page.faults:
            raise CommandFailed("\n".join(self._page.faults))
        for block in self._page.blocks:
            self._run(block)
        for block, path in self._running:
            self._require_running(block, path)

    def _run(self, block: Block) -> None:
        match block.marker:
            case "not run":
                return
            case "part of":
                if not (self._checkout / block.value).is_file():
                    raise CommandFailed(f"{self._page.name}:{block.line}: no file {block.value}")
                return
            case "writes":
                self._write(block)
                return
            case "answer except":
                self._compare(block)
                return
        path = self._steps / f"{block.line}.sh"
        text = self._places.replaced(block.text)
        if block.language == "python":
            script = path.with_suffix(".py")
            script.write_text(text)
            # Unbuffered: a script that hangs has printed what it has done.
            text = f"PYTHONPATH={_q(self._checkout)} {_q(sys.executable)} -u {_q(script)}\n"
        path.write_text(text)
        self._tools.begin(refused=block.value if block.marker == "refused" else "")
        if block.marker == "keeps running":
            self._tell(_KEEPS_RUNNING.format(path=_q(path)))
            self._running.append((block, path))
            self._wait_for_answer(block, path)
            return
        self._in_block = True
        self._tell(f"source {_q(path)} > {_q(path)}.out 2>&1 < /dev/null\n: > {_q(path)}.done\n")
        self._wait(block, path, lambda: Path(f"{path}.done").exists())
        self._in_block = False
        self._last = block, path
        if block.marker == "refused":
            status = self._tools.last_status()
            if status != block.value:
                got = f"the last request got {status}" if status else "there is no request"
                raise self._failure(block, path, f"{got}, not {block.value}")

    def _write(self, block: Block) -> None:
        """Write a block to its file, which has to be in the checkout or in `/tmp`."""
        target = (self._checkout / self._places.replaced(block.value)).resolve()
        if not any(map(target.is_relative_to, (self._checkout.resolve(), self._folder.resolve()))):
            raise CommandFailed(f"{self._page.name}:{block.line}: the file is outside of /tmp/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(self._places.replaced(block.text))

    def _compare(self, block: Block) -> None:
        """Require that the last run block has ended with this JSON, except for one member."""
        if self._last is None:
            raise CommandFailed(f"{self._page.name}:{block.line}: no block has run before")
        ran, path = self._last
        *_, answer = Path(f"{path}.out").read_text(errors="replace").splitlines() or [""]
        try:
            got = json.loads(answer)
        except ValueError:
            raise self._failure(ran, path, "the output does not end with JSON") from None
        shown = json.loads(block.text)
        if {**got, block.value: ""} != {**shown, block.value: ""}:
            raise self._failure(ran, path, f"the answer is not the one of line {block.line}")

    def _wait(self, block: Block, path: Path, done: Callable[[], bool]) -> None:
        """Return once `done()`. Raises CommandFailed if bash ends or time is up."""
        begun = time.monotonic()
        while not done():
            if (code := self._bash.poll()) is not None:
                raise self._failure(block, path, f"exit code {code}")
            now, load = time.monotonic(), load_of_a_core()
            if now > min(begun + BLOCK_SECONDS * load, self._begun + PAGE_SECONDS * load):
                reason = f"not done in time, with a load of {load:.1f} a core"
                raise self._failure(block, path, reason)
            time.sleep(0.02)

    def _wait_for_answer(self, block: Block, path: Path) -> None:
        """Return once the block's address answers with a status below 500."""
        addresses = [self._places.replaced(block.value)]
        if "make run" in block.text:  # its gateway may answer before there is a worker
            addresses.append(self._places.imaging(block.text))

        def answers() -> bool:
            self._require_running(block, path)
            try:
                return all(HTTP.get(url, timeout=2).status_code < 500 for url in addresses)
            except httpx.TransportError:
                return False

        self._wait(block, path, answers)

    def _require_running(self, block: Block, path: Path) -> None:
        ended = Path(f"{path}.ended")
        if ended.exists() and (code := ended.read_text().strip()):
            raise self._failure(block, path, f"has ended by itself, exit code {code}")

    def _failure(self, block: Block, path: Path, reason: str) -> CommandFailed:
        parts = [f"{self._page.name}:{block.line}: {reason}", "", block.text.rstrip()]
        outputs = [(f"--- output of line {block.line}:", path)] + [
            (f"--- output of line {other.line}, which keeps running:", its_path)
            for other, its_path in self._running
            if other != block
        ]
        for head, its_path in outputs:
            output = Path(f"{its_path}.out")
            lines = output.read_text(errors="replace").splitlines() if output.exists() else []
            parts += ["", head, *lines[-OUTPUT_LINES:]]
        return CommandFailed("\n".join(parts))

    def _tell(self, commands: str) -> None:
        assert self._bash.stdin is not None
        with suppress(BrokenPipeError):  # bash has ended, and the next wait says so
            self._bash.stdin.write(commands)
            self._bash.stdin.flush()

    def _environment(self) -> dict[str, str]:
        """Return the variables of a terminal: none of this test run, of make or of Darkroom."""
        ours = ("DARKROOM_", "PYTEST_", "MAKE", "MFLAGS", "REDIS_URL", "DATA_DIR", "PYTHON")
        name, value = self._mark.split("=")
        return {key: text for key, text in os.environ.items() if not key.startswith(ours)} | {
            **self._places.variables(),
            "PATH": f"{self._tools.folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "no_proxy": "127.0.0.1,localhost",
            "MYPY_CACHE_DIR": str(self._folder / _MYPY_CACHE.name),
            name: value,
        }

    def _left_over(self) -> list[int]:
        """Return the processes of this session that left its process group, where Linux says so.

        Each has the session's mark in its environment, or, if its title has overwritten that, as
        Valkey's does, a current folder in the session's folder.
        """
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                marked = self._mark.encode() in (process / "environ").read_bytes().split(b"\0")
                if marked or (process / "cwd").readlink().is_relative_to(self._steps.parent):
                    found.append(int(process.name))
        return found


def _q(path: str | Path) -> str:
    return shlex.quote(str(path))
