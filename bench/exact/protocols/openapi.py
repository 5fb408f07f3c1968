"""Linters and generators of clients as judges of openapi.json; clients use a running gateway."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

from bench.exact.judges import Case, Judge
from bench.exact.needs import Node, Python
from bench.exact.protocols.suite import KEY, picture, running
from services.gateway.http_application import create_http

_ASYNCAPI = Node("asyncapi")  # has Spectral
_OPENAPI = Node("openapi")
_GENERATOR = Python("openapi-client")
_APART = Path(__file__).parent / "apart" / "openapi_client.py"
_CONFIGURATION = "content_type_overrides:\n  image/*: application/octet-stream\npost_hooks: []\n"
"""Configuration of openapi-python-client, which reads no media ranges; without hooks."""


def _run(command: list[str | Path], cwd: Path | None = None) -> Iterator[Case]:
    """Yield a case for each line that a program prints. Raises CalledProcessError if it fails."""
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=cwd)
    for line in done.stdout.splitlines():
        found = json.loads(line)
        yield Case(found["case"], found.get("difference"))


def _document(folder: str) -> Path:
    path = Path(folder, "openapi.json")
    path.write_text(json.dumps(create_http(Mock()).openapi()))
    return path


def _redocly() -> Iterator[Case]:
    with tempfile.TemporaryDirectory() as folder:
        yield from _run(["node", _OPENAPI.script("redocly.mjs"), _document(folder)])


def _spectral() -> Iterator[Case]:
    with tempfile.TemporaryDirectory() as folder:
        yield from _run(["node", _ASYNCAPI.script("spectral.mjs"), _document(folder), "oas"])


def _typescript() -> Iterator[Case]:
    # Node.js finds the packages by the folder of the script, so the client lies below it.
    with (
        tempfile.TemporaryDirectory(dir=_OPENAPI.folder) as folder,
        running(with_keys=True) as gateway,
    ):
        image = Path(folder, "picture.png")
        image.write_bytes(picture())
        Path(folder, "client.ts").write_bytes(_OPENAPI.script("client.ts").read_bytes())
        script = _OPENAPI.script("typescript.mjs")
        yield from _run(["node", script, gateway.url, KEY, image, folder])


def _python() -> Iterator[Case]:
    with tempfile.TemporaryDirectory() as folder, running(with_keys=True) as gateway:
        image, configuration = Path(folder, "picture.png"), Path(folder, "config.yaml")
        image.write_bytes(picture())
        configuration.write_text(_CONFIGURATION)
        program = _GENERATOR.interpreter.with_name("openapi-python-client")
        subprocess.run(
            [
                *(program, "generate", "--path", _document(folder)),
                *("--config", configuration, "--meta", "none", "--fail-on-warning"),
                *("--output-path", Path(folder, "generated")),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        yield Case("generated without a warning")
        command: list[str | Path] = [_GENERATOR.interpreter, _APART, gateway.url, KEY, image]
        yield from _run(command, Path(folder))


JUDGES = (
    Judge(
        "redocly",
        "openapi.json by Redocly's recommended rules: the rules that find something",
        run=_redocly,
        quick=_redocly,
        needs=(_OPENAPI,),
    ),
    Judge(
        "openapi-spectral",
        "openapi.json by Spectral's rules for OpenAPI: the rules",
        run=_spectral,
        needs=(_ASYNCAPI,),
    ),
    Judge(
        "openapi-typescript",
        "a client in TypeScript with types from openapi.json, compiled strictly: its steps",
        run=_typescript,
        quick=_typescript,
        needs=(_OPENAPI,),
    ),
    Judge(
        "openapi-python-client",
        "a client in Python, generated from openapi.json: its steps",
        run=_python,
        quick=_python,
        needs=(_GENERATOR,),
    ),
)
