"""All generated text files: `generated()` maps each path to its text."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from docs.generate import (
    command_line,
    errors,
    formats,
    metrics,
    operations,
    outputs,
    readme,
    settings,
    sources_file,
    store_command,
)
from docs.generate.benchmarks import attacks, exact
from docs.generate.benchmarks import pages as benchmarks
from docs.generate.http import pages as http
from docs.generate.messages import pages as messages
from services.runtime.introspection.asyncapi import suite_yaml

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

Pages = Mapping[str, str]
"""Markdown by its path in `docs/`: `reference/settings.md`."""

PAGES: tuple[Callable[[], Pages], ...] = (
    attacks.pages,
    benchmarks.pages,
    command_line.pages,
    errors.pages,
    exact.pages,
    formats.pages,
    http.pages,
    messages.pages,
    metrics.pages,
    operations.pages,
    outputs.pages,
    settings.pages,
    sources_file.pages,
    store_command.pages,
)
"""One function per part of the reference."""

_NOTE = "<!-- Generated from the code by `make generate`: edits here are lost. -->\n\n"


def generated() -> dict[Path, str]:
    """Return the text of every generated file, by its path."""
    found = {
        ROOT / "asyncapi.yaml": suite_yaml(),
        ROOT / "README.md": readme.with_tables((ROOT / "README.md").read_text("utf-8")),
    }
    for pages in PAGES:
        for path, text in pages().items():
            found[DOCS / path] = _NOTE + text.rstrip() + "\n"
    return found


def leftovers(current: Mapping[Path, str]) -> Iterator[Path]:
    """Return the generated pages on disk that are not generated any more."""
    for path in DOCS.rglob("*.md"):
        if path not in current and path.read_text("utf-8").startswith(_NOTE):
            yield path
