"""One side of a system in a process of its own: `python -m bench.rpc.peer worker celery list URL`.

It does what each line on its standard input says and answers with a line, and it ends when that
input does, so no side outlives the run that started it. A worker's only answer is the CPU time it
has used.
"""

import asyncio
import json
import os
import sys
import threading
import time
from importlib import import_module
from typing import IO

import uvloop

from bench.rpc.load import Call, Load, run
from bench.rpc.systems.interface import System

WITHIN = 60.0  # seconds for the first answer


def main() -> None:
    """Be the side that the command line names."""
    side, name, transport, url = sys.argv[1:]
    # What a library prints goes to the log, and only answers to the runner.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    system: System = import_module(f"bench.rpc.systems.{name}")
    if side == "worker":
        threading.Thread(target=tell_cpu, args=[answers], daemon=True).start()
        uvloop.run(system.serve(url, transport))
    else:
        uvloop.run(call(system, url, transport, answers))


def tell_cpu(answers: IO[str]) -> None:
    for _ in sys.stdin:
        print(time.process_time(), file=answers, flush=True)
    os._exit(0)


async def call(system: System, url: str, transport: str, answers: IO[str]) -> None:
    async with system.calling(url, transport) as echo:
        await first_answer(echo)
        print("ready", file=answers, flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            outcome = await run(echo, Load(**json.loads(line)))
            print(json.dumps(outcome.to_dict()), file=answers, flush=True)
    os._exit(0)


async def first_answer(echo: Call) -> None:
    """Return once the worker answers; a call that it was too late to hear is made again."""
    end = time.monotonic() + WITHIN
    while True:
        try:
            async with asyncio.timeout(1):
                await echo("")
        except Exception:
            if time.monotonic() > end:
                raise
            await asyncio.sleep(0.1)
        else:
            return


if __name__ == "__main__":
    main()
