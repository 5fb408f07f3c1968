"""A worker or a caller in a process of its own: `python -m bench.rpc.peer worker celery list URL`.

The caller runs the load that each line of standard input describes, and answers with a line of
JSON. The worker answers every line with the CPU time that it has used, in seconds. Both end when
standard input ends, so neither outlives the benchmark.
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

READY_WITHIN = 60.0  # seconds until the worker's first reply


def main() -> None:
    """Run the role, system and transport that the command line names."""
    role, name, transport, url = sys.argv[1:]
    # Standard output is for answers alone; anything else that a library prints goes to the log.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    system: System = import_module(f"bench.rpc.systems.{name}")
    if role == "worker":
        threading.Thread(target=answer_with_cpu_time, args=[answers], daemon=True).start()
        uvloop.run(system.serve(url, transport))
    else:
        uvloop.run(run_loads(system, url, transport, answers))


def answer_with_cpu_time(answers: IO[str]) -> None:
    for _ in sys.stdin:
        answers.write(f"{time.process_time()}\n")
        answers.flush()
    os._exit(0)


async def run_loads(system: System, url: str, transport: str, answers: IO[str]) -> None:
    async with system.calling(url, transport) as echo:
        await wait_for_worker(echo)
        answers.write("ready\n")
        answers.flush()
        while line := await asyncio.to_thread(sys.stdin.readline):
            outcome = await run(echo, Load(**json.loads(line)))
            answers.write(json.dumps(outcome.to_dict()) + "\n")
            answers.flush()
    os._exit(0)


async def wait_for_worker(echo: Call) -> None:
    """Return once a call is answered; repeat calls that were sent before the worker subscribed.

    Raises the last call's exception after `READY_WITHIN` seconds.
    """
    deadline = time.monotonic() + READY_WITHIN
    while True:
        try:
            async with asyncio.timeout(1):
                await echo("")
        except Exception:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)
        else:
            return


if __name__ == "__main__":
    main()
