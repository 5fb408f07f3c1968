"""Tables of a configuration file in TOML, and the lines of their keys for messages."""

import re
import tomllib
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from contracts.explanations import explain

ModelT = TypeVar("ModelT", bound=BaseModel)

_HEADER = re.compile(r"\s*\[+\s*([^]]*?)\s*\]+")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")


class LineRefused(ValueError):
    """A line of the file can't be used; the text begins with its number."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")


def parse_tables(text: str, section: str) -> dict[str, dict[str, Any]]:
    """Return the tables `[section.name]` of a file by name, which may be none.

    Raises LineRefused for malformed TOML, and for everything that is not such a table.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        reason, _, place = str(exc).partition(" (at ")
        line = re.match(r"line (\d+)", place)
        number = int(line[1]) if line else max(1, len(text.splitlines()))
        raise LineRefused(number, reason) from None
    for name in content:
        if name != section:
            raise LineRefused(line_of(text, (name,)), f"write [{section}.NAME], not {name!r}")
    tables = content.get(section, {})
    if not isinstance(tables, dict):
        raise LineRefused(line_of(text, (section,)), f"write [{section}.NAME]")
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise LineRefused(line_of(text, (section, name)), f"write [{section}.{name}]")
    return tables


def parse_table(
    text: str, path: Sequence[str], table: dict[str, Any], model: type[ModelT]
) -> ModelT:
    """Return a table of the file as a model. Raises LineRefused with the line of the first error.

    `path` names the table: `("sources", "site")`.
    """
    try:
        return model.model_validate(table)
    except ValidationError as exc:
        (first, *_) = exc.errors(include_url=False, include_input=False)
        fields = [str(part) for part in first["loc"]]
        raise LineRefused(
            line_of(text, (*path, *fields)), f"[{'.'.join(path)}] {explain(exc, model)}"
        ) from None


def line_of(text: str, path: Sequence[str]) -> int:
    """Return the number of the line that names a key, or else the table nearest to it."""
    best, line = 0, 1
    table: list[str] = []
    for number, row in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(row):
            table = names = _names(header[1])
        elif key := _KEY.match(row):
            names = [*table, *_names(key[1])]
        else:
            continue
        if len(names) > best and list(path[: len(names)]) == names:
            best, line = len(names), number
    return line


def _names(dotted: str) -> list[str]:
    return [part.strip("\"'") for part in _PART.findall(dotted)]
