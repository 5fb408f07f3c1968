"""Reference of the operations: a gallery, and a page per family with every field."""

import html
from urllib.parse import quote

from contracts.operations.base import Demonstration
from contracts.operations.pipeline import OPERATIONS
from docs.generate.markdown import table


def pages() -> dict[str, str]:
    """Return the gallery of all operations."""
    rows = [
        (
            f"`{name}`",
            operation.__doc__ or "",
            f"<code>{_breakable(query_of(operation.demonstration))}</code>",
            f'<img src="../pictures/operations/{name}.webp" width="160" alt="{name}">',
        )
        for name, operation in OPERATIONS.items()
    ]
    gallery = table(["operation", "description", "query", ""], rows)
    return {"reference/operations.md": f"# Operations\n\n{gallery}"}


def query_of(demonstration: Demonstration) -> str:
    """Return the query of a URL that has the demonstration's operations."""
    return "&".join(f"op={quote(text, safe=':=,')}" for text in demonstration.operations)


def _breakable(query: str) -> str:
    # Code in Markdown never breaks into lines, and would push the pictures out of sight.
    return html.escape(query).replace(",", ",<wbr>").replace("&amp;", "<wbr>&amp;")
