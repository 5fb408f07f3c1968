"""A given AsyncAPI document in the shape that FastStream's applications and command line take."""

import json
from collections.abc import Callable
from typing import Any

import yaml
from faststream.asgi.handlers import HttpHandler
from faststream.specification.base import Specification, SpecificationFactory

Document = dict[str, Any]


def as_yaml(document: Document) -> str:
    """Return a document as YAML, its keys in the order they have."""
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)


class GivenDocument(Specification):
    """Specification that holds one finished document."""

    def __init__(self, document: Document) -> None:
        self._document = document

    @property
    def title(self) -> str:
        """Return the document's title."""
        return str(self._document["info"]["title"])

    def to_jsonable(self) -> Document:
        """Return the document as JSON values."""
        return self._document

    def to_json(self) -> str:
        """Return the document as JSON."""
        return json.dumps(self._document, ensure_ascii=False)

    def to_yaml(self) -> str:
        """Return the document as YAML."""
        return as_yaml(self._document)


class GivenSpecification(SpecificationFactory):
    """Factory that an application takes as its `specification`; brokers and routes add nothing."""

    def __init__(self, make_document: Callable[[], Document], *, title: str, version: str) -> None:
        self._make_document = make_document
        self.title = title
        self.version = version
        self.description = None
        self.contact = None
        self.license = None

    def add_broker(self, broker: Any, /) -> "GivenSpecification":
        """Ignore the broker: the document names every address."""
        return self

    def add_http_route(self, path: str, handler: HttpHandler) -> "GivenSpecification":
        """Ignore the route: AsyncAPI describes messages."""
        return self

    def to_specification(self) -> Specification:
        """Return the document, made now."""
        return GivenDocument(self._make_document())
