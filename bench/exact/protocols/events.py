"""Clients for Server-Sent Events and WebSockets that are not Darkroom's, as judges of events."""

import json
import subprocess
from collections.abc import Iterator, Sequence

import httpx

from bench.exact.judges import Case, Judge
from bench.exact.needs import Node, Python
from bench.exact.protocols.suite import client_of, picture, running, submit

_NODE, _PYTHON = Node("protocols"), Python("protocols")
_VARIANTS = 8


def _commands() -> dict[str, list[str]]:
    """Return the command of each client, by the name of its package."""
    node = ["node", str(_NODE.script("events.mjs"))]
    python = [str(_PYTHON.interpreter), "-m", "bench.exact.protocols.apart.events"]
    return {
        **{f"{name} (npm)": [*node, name] for name in ("eventsource", "ws")},
        **{
            name: [*python, name]
            for name in ("httpx-sse", "aiohttp-sse-client2", "websocket-client")
        },
    }


def _difference(done: subprocess.CompletedProcess[str], expected: Sequence[str]) -> str | None:
    """Say what is wrong with the ids that a client has received; the expected ones end them."""
    if done.returncode:
        return f"It fails: {done.stderr.strip().splitlines()[-1:]}."
    ids = [json.loads(line)["id"] for line in done.stdout.splitlines()]
    if ids != list(expected):
        return f"It receives the events {ids} instead of {list(expected)}."
    return None


def _follow(
    command: list[str], url: str, job: str, after: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, url, job, after], capture_output=True, text=True, timeout=60, check=False
    )


def _cases() -> Iterator[Case]:
    with running() as gateway, client_of(gateway) as client:
        image = client.post("/v1/images", content=picture()).json()["id"]
        job = submit(client, image, variants=_VARIANTS)
        everything = _ids(client, job, "0-0")
        [last] = _ids(client, job, "")
        for name, command in _commands().items():
            for what, after, expected in (
                ("the last event", "", [last]),
                ("every event again", "0-0", everything),
                ("the events after the third", everything[2], everything[3:]),
            ):
                done = _follow(command, gateway.url, job, after)
                yield Case(f"{name}: {what}", _difference(done, expected))
        for name, command in _commands().items():
            job = submit(client, image, variants=_VARIANTS)
            done = _follow(command, gateway.url, job)
            events = _ids(client, job, "0-0")
            count = len(done.stdout.splitlines())
            # The first event depends on how far the job is when the client connects.
            yield Case(f"{name}: a running job", _difference(done, events[-count or None :]))


def _ids(client: httpx.Client, job: str, after: str) -> list[str]:
    """Return the ids of a job's events after the job has ended."""
    headers = {"Last-Event-ID": after} if after else {}
    text = client.get(f"/v1/jobs/{job}/events", headers=headers).text
    return [line.removeprefix("id: ") for line in text.splitlines() if line.startswith("id: ")]


JUDGES = (
    Judge(
        "event-clients",
        "the events of jobs, followed by five clients for SSE and WebSockets: the streams",
        run=_cases,
        needs=(_NODE, _PYTHON),
    ),
)
