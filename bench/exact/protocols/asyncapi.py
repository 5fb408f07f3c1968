"""The official parser, Spectral's rules and Modelina's TypeScript as judges of asyncapi.yaml."""

import json
import subprocess
from collections.abc import Iterator

from bench.environments import ROOT
from bench.exact.judges import Case, Judge
from bench.exact.needs import Node

_ASYNCAPI = Node("asyncapi")


def _judge(script: str) -> Iterator[Case]:
    """Yield a case for each line of a script's output. Raises CalledProcessError if it fails."""
    command = ["node", str(_ASYNCAPI.script(script)), str(ROOT / "asyncapi.yaml")]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    for line in done.stdout.splitlines():
        found = json.loads(line)
        yield Case(found["case"], found.get("difference"))


JUDGES = (
    Judge(
        "asyncapi-parser",
        "asyncapi.yaml, read by the official parser: its messages",
        run=lambda: _judge("parser.mjs"),
        needs=(_ASYNCAPI,),
    ),
    Judge(
        "spectral",
        "asyncapi.yaml by Spectral's rules for AsyncAPI: the rules",
        run=lambda: _judge("spectral.mjs"),
        needs=(_ASYNCAPI,),
    ),
    Judge(
        "modelina",
        "TypeScript that Modelina makes of asyncapi.yaml, compiled strictly: the types",
        run=lambda: _judge("modelina.mjs"),
        needs=(_ASYNCAPI,),
    ),
)
