"""Markdown for generated pages: tables whose cells can't break the row."""

from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a `|` or a line break in a cell is escaped or becomes a space."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def fields_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table that becomes a list on a phone: name, values, default and more.

    A table of two or three columns has no default.
    """
    return f'<div class="fields">\n\n{table(heads, rows)}\n\n</div>'


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
