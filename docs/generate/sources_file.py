"""Reference of the file of sources: the fields of each kind."""

from collections.abc import Mapping
from typing import Any

from docs.generate.markdown import fields_table
from services.gateway.sources.configuration import (
    FolderSource,
    HttpsSource,
    S3Source,
    SourceTable,
)

_PAGE = """# The file of sources

`DARKROOM_SOURCES` names a file in TOML with a table `[sources.NAME]` for each source. A name has up
to 32 lower-case letters, digits and hyphens. The guide [Images of sources](../guides/sources.md)
says what a source is.

## Every source

{common}

{kinds}
"""

_KINDS: Mapping[str, type[SourceTable]] = {
    'kind = "https"': HttpsSource,
    'kind = "folder"': FolderSource,
    'kind = "s3"': S3Source,
}


def pages() -> dict[str, str]:
    """Return the page of the file."""
    common = set(SourceTable.model_fields)
    kinds = "\n\n".join(
        f"## `{title}`\n\n{model.__doc__}\n\n{_table(model, without=common | {'kind'})}"
        for title, model in _KINDS.items()
    )
    return {
        "reference/sources-file.md": _PAGE.format(common=_table(SourceTable, set()), kinds=kinds)
    }


def _table(model: type[SourceTable], without: set[str]) -> str:
    rows = [
        (
            f"`{name}`",
            _default(field.default, required=field.is_required()),
            field.description or "",
        )
        for name, field in model.model_fields.items()
        if name not in without
    ]
    return fields_table(["field", "default", "meaning"], rows)


def _default(value: Any, *, required: bool) -> str:
    if required:
        return "required"
    match value:
        case None | "":
            return ""
        case bool():
            return f"`{str(value).lower()}`"
        case tuple():
            return "`[" + ", ".join(f'"{one}"' for one in value) + "]`"
        case _:
            return f"`{value}`"
