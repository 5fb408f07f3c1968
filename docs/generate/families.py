"""Reference of the operations: a page per family, with a section per operation."""

import inspect
import json
from collections.abc import Sequence
from itertools import groupby
from urllib.parse import quote

from PIL import Image

from contracts.operations.base import BaseOperation, Demonstration, Sample
from contracts.operations.notation import parse_operation
from contracts.operations.pipeline import OPERATIONS
from docs.generate.fields import field_texts
from docs.generate.markdown import fields_table, table
from docs.generate.pictures.gallery import LARGE, PICTURES, SMALL

_KEY = "0" * 64  # stands for LOGO where an id has to be valid


def pages() -> dict[str, str]:
    """Return the page of each family."""
    return {
        f"reference/operations/{family}.md": _page(family, operations)
        for family, operations in families().items()
    }


def families() -> dict[str, list[type[BaseOperation]]]:
    """Return the operations of each family, in the order of documents."""
    grouped = groupby(OPERATIONS.values(), key=lambda operation: operation.family)
    return {family: list(operations) for family, operations in grouped}


def name_of(operation: type[BaseOperation]) -> str:
    """Return the name of an operation in queries."""
    return str(operation.model_fields["op"].default)


def description_of(operation: type[BaseOperation]) -> str:
    """Return the first paragraph of an operation's docstring."""
    return _paragraphs(operation)[0]


def query_of(demonstration: Demonstration) -> str:
    """Return the query of a URL that has the demonstration's operations."""
    return "&".join(f"op={quote(text, safe=':=,')}" for text in demonstration.operations)


def _page(family: str, operations: Sequence[type[BaseOperation]]) -> str:
    about = inspect.getdoc(inspect.getmodule(operations[0])) or ""
    begin = (
        "Each section shows an example, its query, the same as an element of a job's `variants`, "
        "and the fields. [Operations](../operations.md) explains the notation."
    )
    sections = map(_section, operations)
    return "\n\n".join([f"# {family.capitalize()}", about, begin, *sections])


def _section(operation: type[BaseOperation]) -> str:
    shown = operation.demonstration
    about, *rules = _paragraphs(operation)
    return "\n\n".join(
        [
            f"## {name_of(operation)}",
            about,
            _pictures(operation),
            '<div class="example">',
            f"```text\n{query_of(shown)}\n```",
            f"```json\n{_json(shown)}\n```",
            "</div>",
            *_about_logo(shown),
            *rules,
            _fields(operation),
        ]
    )


def _paragraphs(operation: type[BaseOperation]) -> list[str]:
    return (inspect.getdoc(operation) or "").split("\n\n")


def _pictures(operation: type[BaseOperation]) -> str:
    """Return a table of the pictures: the source, the logo if it is drawn, and the result."""
    name, shown = name_of(operation), operation.demonstration
    is_enlarged = shown.sample is Sample.ENLARGEMENT
    source = Sample.PHOTOGRAPH if is_enlarged else shown.sample
    pictures = {f"before, {_size(LARGE if is_enlarged else SMALL)}": f"sources/{source}"}
    if _has_logo(shown):
        pictures[f"`LOGO`, {_size_of('sources/logo')}"] = "sources/logo"
    pictures[f"after, {_size_of(name)}"] = name
    images = [
        f'<img src="../../pictures/operations/{path}.webp" alt="{name}: {title.split(",")[0]}">'
        for title, path in pictures.items()
    ]
    return table(list(pictures), [images])


def _size_of(picture: str) -> str:
    path = PICTURES / f"{picture}.webp"
    if not path.exists():
        raise FileNotFoundError(f"there is no picture of {picture}: run make gallery")
    with Image.open(path) as image:
        return _size(image.size)


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"


def _json(shown: Demonstration) -> str:
    """Return the demonstration as a variant of a job."""
    texts = []
    for text in shown.operations:
        operation = parse_operation(text.replace("LOGO", _KEY))
        given = operation.model_dump(mode="json", exclude_unset=True)
        # Whole numbers without a decimal point: 24, not 24.0.
        plain = {
            k: int(v) if isinstance(v, float) and v.is_integer() else v for k, v in given.items()
        }
        texts.append(json.dumps(plain).replace(_KEY, "LOGO"))
    operations = ",\n  ".join(texts)
    return f'{{"operations": [\n  {operations}\n]}}'


def _about_logo(shown: Demonstration) -> list[str]:
    about = "`LOGO` stands for the id that `POST /v1/images` returned when the logo was uploaded."
    return [about] if _has_logo(shown) else []


def _has_logo(shown: Demonstration) -> bool:
    return any("LOGO" in text for text in shown.operations)


def _fields(operation: type[BaseOperation]) -> str:
    rows = [
        (f"`{field.name}`", field.values, field.default, field.description)
        for field in field_texts(operation)
    ]
    if not rows:
        return f"`{name_of(operation)}` has no fields."
    heads = ["field", "values", "default", "description"]
    return fields_table(heads, rows)
