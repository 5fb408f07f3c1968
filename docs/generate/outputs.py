"""Reference of the outputs: a table of all fields, and a section per field."""

import inspect
import json
import re
from collections.abc import Mapping
from urllib.parse import urlencode

from contracts.formats import Format
from contracts.outputs import Output
from docs.generate.fields import field_texts
from docs.generate.markdown import fields_table, table

_BEGIN = """# Outputs

An output says how a result is encoded: its format, quality, metadata and colours. All fields have
defaults. In a URL, the fields are query parameters:

```sh
curl -sSo /tmp/house.jpg http://127.0.0.1:8000/guide/house.jpg
curl -sSo /tmp/house.webp --data-binary @/tmp/house.jpg \\
  'http://127.0.0.1:8000/v1/render?op=resize:width=720&format=webp&quality=70'
```

In a job, each element of `variants` has its own `output`:

```json
{"operations": [{"op": "resize", "width": 720}], "output": {"format": "webp", "quality": 70}}
```

The field `among` is for jobs alone. A URL has no such parameter: the request's header `Accept`
lists the formats instead."""


def pages() -> dict[str, str]:
    """Return the page of outputs."""
    fields = list(field_texts(Output))
    rows = [
        (f"[`{field.name}`](#{field.name})", field.values, field.default, _formats(field.name))
        for field in fields
    ]
    _, *rules = (inspect.getdoc(Output) or "").split("\n\n")
    parts = [
        _BEGIN,
        "## Fields",
        fields_table(["field", "values", "default", "used"], rows),
        *rules,
        "[Formats](formats.md) lists what each format holds.",
        *(f"### {field.name}\n\n{_listed(field.description)}" for field in fields),
        "## Examples",
        table(["in a query", "in a job"], map(_example, _examples())),
    ]
    return {"reference/outputs.md": "\n\n".join(parts)}


def _listed(description: str) -> str:
    """Return a description of three sentences or more as a list of sentences."""
    sentences = re.split(r"(?<=\.) ", description)
    return description if len(sentences) < 3 else "\n".join(f"- {one}" for one in sentences)


def _formats(field: str) -> str:
    """Return which formats have the field, by the attribute of its name in their specs."""
    if field == "among":
        return "for `auto`"
    having = [f"`{format}`" for format in Format if getattr(format.spec, field, True)]
    return "for all formats" if len(having) == len(Format) else f"for {', '.join(having)}"


def _examples() -> list[Mapping[str, object]]:
    examples: list[Mapping[str, object]] = Output.model_json_schema()["examples"]
    return examples


def _example(fields: Mapping[str, object]) -> tuple[str, str]:
    texts = {name: str(value).lower() for name, value in fields.items()}
    return f"`{urlencode(texts)}`", f"`{json.dumps(fields)}`"
