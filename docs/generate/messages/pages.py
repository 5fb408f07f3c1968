"""Reference of the messages: methods, their addresses, events, and the JSON of each message."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from docs.generate.markdown import fields_table, table
from docs.generate.messages.texts import DIRECT_CALLS, INTRO
from docs.generate.schemas import (
    Schemas,
    example_of,
    field_table,
    is_model,
    models_in,
    sent_field_table,
)
from services.runtime.introspection.asyncapi import suite_document

PATH = "reference/messages.md"

_ELSEWHERE = {
    "Code": "../errors/index.md",
    "Output": "outputs.md",
    "Pipeline": "operations.md",
}
"""Descriptions on other pages."""

_HEADERS = {"RequestHeaders": "a request", "ReplyHeaders": "a reply", "EventHeaders": "an event"}

Document = Mapping[str, Any]


def pages() -> dict[str, str]:
    """Return the one page."""
    document = suite_document()
    schemas = document["components"]["schemas"]
    parts = [
        INTRO.format(version=document["info"]["version"]),
        "## Methods",
        "A service calls a method by a request, and receives a reply.",
        *(_method(name, document) for name in _methods(document)),
        "### Failure",
        *_message("Failure", schemas, sent=True),
        DIRECT_CALLS,
        "## Events, jobs and records",
        "These messages get no reply.",
        *(_other(name, document) for name in _others(document)),
        "## Headers",
        *_headers(schemas),
        "## JSON",
        "The messages above have these parts.",
        *(part for name in _nested(document) for part in _part(name, schemas)),
    ]
    return {PATH: _joined(parts)}


def _methods(document: Document) -> dict[str, list[str]]:
    """Return the names of the channels of each method, by the method's address without a suffix."""
    methods: dict[str, list[str]] = {}
    for name, channel in document["channels"].items():
        if _reply(name, document):
            methods.setdefault(channel["address"].partition(":")[0], []).append(name)
    return methods


def _others(document: Document) -> list[str]:
    return [
        name
        for name, channel in document["channels"].items()
        if channel["address"] and not _reply(name, document)
    ]


def _reply(channel: str, document: Document) -> str:
    """Return the name of the reply to a channel's requests; empty for a channel without replies."""
    for operation in document["operations"].values():
        if _target(operation["channel"]) == channel and "reply" in operation:
            return _target(operation["reply"]["messages"][0])
    return ""


def _method(method: str, document: Document) -> str:
    channels = {name: document["channels"][name] for name in _methods(document)[method]}
    schemas = document["components"]["schemas"]
    [request] = {message for channel in channels.values() for message in channel["messages"]}
    reply = _reply(next(iter(channels)), document)
    rows = [
        (_address(channel), channel["x-redis"]["type"], channel["description"])
        for channel in channels.values()
    ]
    return _joined(
        [
            f"### {method}",
            fields_table(("address", "transport", "delivery"), rows),
            f"**Request: {request}**",
            *_message(request, schemas, sent=False),
            f"**Reply: {reply}**, or [Failure](#failure)",
            *_message(reply, schemas, sent=True),
        ]
    )


def _other(name: str, document: Document) -> str:
    channel = document["channels"][name]
    [message] = channel["messages"]
    facts = [
        ("sent by", _services(name, "send", document)),
        ("received by", _services(name, "receive", document) or "no service"),
    ]
    return _joined(
        [
            f"### {message}",
            channel["description"],
            table(
                ("address", "transport", *(fact for fact, _ in facts)),
                [(_address(channel), channel["x-redis"]["type"], *(text for _, text in facts))],
            ),
            *_message(message, document["components"]["schemas"], sent=True),
        ]
    )


def _address(channel: Mapping[str, Any]) -> str:
    group = channel["x-redis"].get("group")
    return f"`{channel['address']}`" + (f", consumer group `{group}`" if group else "")


def _services(channel: str, action: str, document: Document) -> str:
    return " and ".join(
        name.partition(".")[0]
        for name, operation in document["operations"].items()
        if operation["action"] == action and _target(operation["channel"]) == channel
    )


def _headers(schemas: Schemas) -> Iterator[str]:
    for name, kind in _HEADERS.items():
        schema = schemas[name]
        yield f"The headers of {kind}:"
        yield fields_table(
            ("header", "meaning"),
            [
                (f"`{header}`" + (" (always)" if header in schema["required"] else ""), text)
                for header, described in schema["properties"].items()
                if (text := described["description"])
            ],
        )


def _message(name: str, schemas: Schemas, *, sent: bool) -> Iterator[str]:
    """Yield description, fields and example; of a `sent` message, all fields are there."""
    schema = schemas[name]
    fields = sent_field_table if sent else field_table
    yield str(schema.get("description", ""))
    yield fields(schema, schemas, partial(_link, schemas))
    yield example_of(schema)


def _nested(document: Document) -> list[str]:
    """Return the models that messages refer to, without the messages themselves."""
    schemas = document["components"]["schemas"]
    messages = document["components"]["messages"]
    todo = list(messages)
    found: list[str] = []
    while todo:
        for name in models_in(schemas[todo.pop(0)], schemas):
            if name not in (*messages, *found, *_ELSEWHERE):
                found.append(name)
                todo.append(name)
    return found


def _part(name: str, schemas: Schemas) -> Iterator[str]:
    yield f"### {name}"
    yield from _message(name, schemas, sent=True)


def _link(schemas: Schemas, name: str) -> str:
    """Return a link to a model; empty for a schema without fields."""
    if name in _ELSEWHERE:
        return f"[{name}]({_ELSEWHERE[name]})"
    return f"[{name}](#{name.lower()})" if is_model(schemas[name]) else ""


def _target(reference: Mapping[str, str]) -> str:
    return reference["$ref"].rpartition("/")[2]


def _joined(parts: Iterable[str]) -> str:
    return "\n\n".join(filter(None, parts))
