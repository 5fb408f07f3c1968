"""Replace the ports of a page by free ones, and `/tmp` by a folder: pages run in parallel."""

import re
from collections.abc import Mapping
from pathlib import Path

from tests.docs.running.commands import Page
from tests.processes import free_port

DOCUMENTED = {"PORT": 8000, "IMAGING_PORT": 8001}
"""The ports of a `make run`, by the variables that change them."""

_PORT = re.compile(r"(?:127\.0\.0\.1|localhost):(\d+)|PORT=(\d+)|--port[ =](\d+)")
_NUMBER = re.compile(r"(?<![\w.])(?<![a-z]=)\d+(?!\w)")
_TMP = re.compile(r"(?:(?<=file://)|(?<![\w./]))/tmp(?![\w-])")


class Places:
    """The ports and the folder that stand for those of a page.

    `known` maps documented ports to those of running services. Every other port that the page
    names in an address, as `PORT=` or after `--port` becomes a free one, wherever it stands.
    """

    def __init__(self, page: Page, folder: Path, known: Mapping[int, int]) -> None:
        named = {
            int(next(filter(None, groups)))
            for block in page.blocks
            for groups in _PORT.findall(f"{block.text}\n{block.value}")
        }
        self._folder = folder
        self._ports = {
            port: known.get(port) or free_port() for port in {*DOCUMENTED.values(), *named}
        }

    def replaced(self, text: str) -> str:
        """Return the text with ports and folder replaced."""

        def port(match: re.Match[str]) -> str:
            return str(self._ports.get(int(match[0]), match[0]))

        return _TMP.sub(lambda _: str(self._folder), _NUMBER.sub(port, text))

    def imaging(self, command: str) -> str:
        """Return the address that tells whether the imaging service of a `make run` is ready."""
        named = re.search(r"\bIMAGING_PORT=(\d+)", command)
        port = self._ports[int(named[1]) if named else DOCUMENTED["IMAGING_PORT"]]
        return f"http://127.0.0.1:{port}/health/ready"

    def variables(self) -> dict[str, str]:
        """Return the variables by which commands use these places instead of their defaults."""
        ports = {name: str(self._ports[port]) for name, port in DOCUMENTED.items()}
        gateway = f"http://127.0.0.1:{ports['PORT']}"
        return {**ports, "DARKROOM_GATEWAY": gateway, "TMPDIR": str(self._folder)}
