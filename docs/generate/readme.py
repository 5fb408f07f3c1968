"""The README's generated parts, between `<!-- name -->` and `<!-- /name -->`."""

from collections.abc import Callable, Mapping

from contracts.formats import Format
from contracts.operations.pipeline import OPERATIONS
from docs.generate.benchmarks import pages as benchmarks

_SHOWN = (("resize", "grayscale", "duotone"), ("rotate", "vignette", "text"))
_HEIGHT = 130  # pixels of a thumbnail, so that rows are even and three fit into a line


def thumbnails() -> str:
    """Return a sentence that counts, and a table of six operations: pictures, with links."""
    *formats, last = (format.spec.title for format in Format)
    first, *others = ([_thumbnail(name) for name in row] for row in _SHOWN)
    rows = [first, [":-:"] * len(first), *others]
    return (
        f"Darkroom has {len(OPERATIONS)} operations, and reads and writes {', '.join(formats)} and "
        f"{last}. Six of the operations:\n\n" + "\n".join(f"| {' | '.join(row)} |" for row in rows)
    )


def _thumbnail(name: str) -> str:
    page = f"docs/reference/operations/{OPERATIONS[name].family}.md#{name}"
    picture = f'<img src="docs/pictures/operations/{name}.webp" height="{_HEIGHT}" alt="{name}">'
    return f"{picture}<br>[`{name}`]({page})"


TABLES: Mapping[str, Callable[[], str]] = {"thumbnails": thumbnails, "speed": benchmarks.speed}
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
