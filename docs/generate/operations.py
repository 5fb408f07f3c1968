"""Reference of the operations: the notation, and a gallery that links to the families' pages."""

import html
from collections.abc import Iterable, Sequence

from contracts.fields import MAX_SIDE
from contracts.operations.base import BaseOperation, Sample
from contracts.operations.pipeline import MAX_IMAGES, MAX_OPERATIONS, OPERATIONS
from docs.generate import families
from docs.generate.families import description_of, name_of, query_of
from docs.generate.markdown import table
from docs.generate.pictures.gallery import LARGE, SMALL

_NOTATION = rf"""# Operations

An operation is one step on an image, such as a resize. Darkroom has {len(OPERATIONS)} operations.
A request names up to {MAX_OPERATIONS} of them, and Darkroom applies them in order:

```sh
curl -sSo /tmp/house.jpg http://127.0.0.1:8000/guide/house.jpg
curl -sSo /tmp/small.jpg --data-binary @/tmp/house.jpg \
  'http://127.0.0.1:8000/v1/render?op=resize:width=720,height=588&op=sharpen:1.5&op=border:width=8'
```

## In a query

Write each operation as a query parameter `op`. The value is the operation's name, a colon, and
fields with commas between them:

| query | meaning |
| --- | --- |
| `op=grayscale` | an operation without fields; a field that is left out has its default |
| `op=resize:width=720,height=588` | an operation with two fields |
| `op=rotate:90` | one value without a name: the operation's first field, here `degrees` |
| `op=rotate:90&op=grayscale` | two operations: first `rotate`, then `grayscale` |

- If you give two fields or more, name each. Names and values have no spaces around them.
- In a value, write a comma as `\,`. Any other backslash stands for itself. If the field is named,
  its value may contain colons and equals signs.
- As everywhere in URLs, encode `&`, `#`, `+`, `%`, spaces, and letters outside of ASCII. curl
  encodes them if you use `--url-query`:

```sh
curl -sSo /tmp/signed.jpg --data-binary @/tmp/house.jpg \
  --url-query 'op=text:text=Rose & Crown\, 12 %,position=top,y=40' \
  'http://127.0.0.1:8000/v1/render'
```

An unknown operation, an unknown field, a field that is given twice, and a value outside of its
limits are refused. The answer is a 422 with the code `invalid_operation`. Its `detail` names the
operation and the field.

The command line takes the same notation: `--op resize:width=720`.

## In a job

In JSON, an operation is an object, and `op` is its name. This is an element of a job's `variants`:

```json
{{"operations": [
  {{"op": "resize", "width": 720, "height": 588}},
  {{"op": "sharpen", "amount": 1.5}}
]}}
```"""

_DETAILS = f"""## Colours

Write a colour as hexadecimal digits (`rgb`, `rgba`, `rrggbb` or `rrggbbaa`) or as a CSS name:
`op=border:width=8,colour=darkorange`. A `#` before the digits is allowed. In a URL, `#` has to be
`%23`, so leave it out. `a` and `aa` are the opacity: `00` is transparent, `ff` is opaque. Where the
reference says "opaque colour", any other opacity is refused.

## Order and frames

Before the first operation, Darkroom turns a photograph upright by its EXIF orientation. Each
operation gets the image that the operation before it made. A result has at most {MAX_SIDE:,} pixels
on each side.

Each frame of an animation gets the same operations. Some operations depend on the pixels, such as
`trim`, `autocontrast` and the gravity `smart`: the first frame decides for all frames.

A request may name {MAX_IMAGES} different images for `watermark`."""


def pages() -> dict[str, str]:
    """Return the index of all operations and the page of each family."""
    grouped = families.families()
    index = [
        _NOTATION,
        _toctree(grouped),
        "## Gallery\n\nA link leads to all fields of an operation.",
        *(_gallery(family, operations) for family, operations in grouped.items()),
        _DETAILS,
        _samples(),
    ]
    return {"reference/operations.md": "\n\n".join(index), **families.pages()}


def _toctree(names: Iterable[str]) -> str:
    entries = "\n".join(f"operations/{name}" for name in names)
    return f"```{{toctree}}\n:hidden:\n\n{entries}\n```"


def _gallery(family: str, operations: Sequence[type[BaseOperation]]) -> str:
    rows = []
    for operation in operations:
        name = name_of(operation)
        picture = f'<img src="../pictures/operations/{name}.webp" width="120" alt="{name}">'
        link = f"[`{name}`](operations/{family}.md#{name})"
        query = f"<code>{_breakable(query_of(operation.demonstration))}</code>"
        rows.append((picture, f"{link}<br>{description_of(operation)}<br>{query}"))
    return f"### {family.capitalize()}\n\n{_with_pictures('operation', rows)}"


def _breakable(query: str) -> str:
    # Code in Markdown never breaks into lines, and would push the pictures out of sight.
    return html.escape(query).replace(",", ",<wbr>").replace("&amp;", "<wbr>&amp;")


def _samples() -> str:
    """Return a table of the images that the gallery shows operations on."""
    users: dict[str, list[str]] = {}
    for name, operation in OPERATIONS.items():
        users.setdefault(operation.demonstration.sample, []).append(f"`{name}`")
    used = {sample: ", ".join(names) for sample, names in users.items()}
    size, large = (f"{width} x {height} pixels" for width, height in (SMALL, LARGE))
    texts = {
        "photograph": f"The photograph: {size}, and {large} for {used[Sample.ENLARGEMENT]}",
        "haze": f"The photograph in haze: {size}, for {used[Sample.HAZE]}",
        "scan": f"The photograph as a scan: {size}, for {used[Sample.SCAN]}",
        "logo": "The logo, for `watermark`",
    }
    rows = [
        (f'<img src="../pictures/operations/sources/{name}.webp" width="120" alt="{name}">', text)
        for name, text in texts.items()
    ]
    return f"## Sample images\n\n{_with_pictures('image', rows)}"


def _with_pictures(head: str, rows: Iterable[tuple[str, str]]) -> str:
    return f'<div class="gallery">\n\n{table(["", head], rows)}\n\n</div>'
