"""The README's generated parts, between `<!-- name -->` and `<!-- /name -->`."""

from collections.abc import Callable, Mapping

TABLES: Mapping[str, Callable[[], str]] = {}
"""The Markdown of each part, by the name in its markers."""


def with_tables(readme: str) -> str:
    """Return the README with its parts made anew. Raises LookupError if a marker is missing."""
    for name, make in TABLES.items():
        readme = _replaced(readme, name, make())
    return readme


def _replaced(readme: str, name: str, part: str) -> str:
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, found, rest = readme.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise LookupError(f"README.md has no {begin} before {end}.")
    return f"{before}{begin}\n\n{part}\n\n{end}{after}"
