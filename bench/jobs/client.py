"""A client in a process of its own: `python -m bench.jobs.client arq URL`.

It runs the load that each line of standard input describes, and answers with a line of JSON. It
ends when standard input ends, so it does not outlive the benchmark.
"""

import asyncio
import json
import os
import sys
from importlib import import_module
from typing import IO

import uvloop

from bench.jobs import workload
from bench.jobs.load import Load, run
from bench.jobs.systems.interface import Client, System


class WrongResult(Exception):
    """A job's result is missing, or its bytes differ from a local render's."""


def main() -> None:
    """Run the client of the system that the command line names."""
    name, url = sys.argv[1:]
    # Standard output is for answers alone; anything else that a library prints goes to the log.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    system: System = import_module(f"bench.jobs.systems.{name}")
    uvloop.run(run_loads(system, url, answers))


async def run_loads(system: System, url: str, answers: IO[str]) -> None:
    stored, photo = 0, workload.photograph()
    async with system.calling(url) as client:
        while line := await asyncio.to_thread(sys.stdin.readline):
            load = Load(**json.loads(line))
            # The bytes of each image are new: no system can return an earlier job's result.
            numbers = range(stored, stored + load.jobs)
            images = [await client.store(workload.numbered(photo, n)) for n in numbers]
            stored += load.jobs
            outcome, job = await run(client, images, load)
            await check(client, job, workload.render(photo))
            answers.write(json.dumps(outcome.to_dict()) + "\n")
            answers.flush()
    os._exit(0)


async def check(client: Client, job: object, expected: bytes) -> None:
    """Raise WrongResult unless the result of `job` is `expected`."""
    if job is None or await client.result(job) != expected:
        raise WrongResult


if __name__ == "__main__":
    main()
