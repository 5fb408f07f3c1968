"""References of a JSON document, such as `#/components/schemas/Blob`."""

from typing import Any


def references(node: Any) -> set[str]:
    """Return every `$ref` in a document, or in a part of one."""
    if isinstance(node, list):
        return set().union(*map(references, node))
    if not isinstance(node, dict):
        return set()
    own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
    return own.union(*map(references, node.values()))
