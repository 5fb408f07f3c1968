"""A client in a process of its own: `python -m bench.jobs.client arq URL`.

It puts each load that a line on its standard input names on its system, and answers with a line.
It ends when that input does, so that it does not outlive the run that started it.
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


class WrongPicture(Exception):
    """A result that is not what the render gives."""


def main() -> None:
    """Be the client that the command line names."""
    name, url = sys.argv[1:]
    # What a library prints goes to the log, and only answers to the runner.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    system: System = import_module(f"bench.jobs.systems.{name}")
    uvloop.run(serve(system, url, answers))


async def serve(system: System, url: str, answers: IO[str]) -> None:
    stored, photo = 0, workload.photograph()
    async with system.calling(url) as client:
        while line := await asyncio.to_thread(sys.stdin.readline):
            load = Load(**json.loads(line))
            # Each picture is new, so that nobody finds a result that is there already.
            pictures = [workload.numbered(photo, stored + n) for n in range(load.jobs)]
            stored += load.jobs
            images = [await client.store(data) for data in pictures]
            outcome, job = await run(client, images, load)
            await check(client, job, workload.render(photo))
            print(json.dumps(outcome.to_dict()), file=answers, flush=True)
    os._exit(0)


async def check(client: Client, job: object, expected: bytes) -> None:
    """Raise WrongPicture unless the result of `job` can be looked up, and is right."""
    if job is None or await client.result(job) != expected:
        raise WrongPicture


if __name__ == "__main__":
    main()
