"""The AsyncAPI document of the suite, made from the contracts.

FastStream's own generator documents the subscriptions of one broker and no replies, so the
applications take this document as their specification. A test compares it with the addresses that
both services consume. Follows https://www.asyncapi.com/docs/reference/specification/v3.1.0.
"""

from collections.abc import Mapping, Sequence
from inspect import cleandoc
from typing import Any

from pydantic.json_schema import models_json_schema

from contracts.errors import Failure
from contracts.imaging import METHODS
from contracts.message import Message
from contracts.methods import GROUP, Method, Transport
from contracts.version import VERSION
from services.runtime.faststream_adapter.specification import (
    Document,
    GivenSpecification,
    as_yaml,
)
from services.runtime.introspection.asyncapi_channels import (
    EVENT_HEADERS,
    OTHER_CHANNELS,
    REPLY_HEADERS,
    REQUEST_HEADERS,
    TRANSPORTS,
)

_CALLS: Document = {"name": "calls", "description": "Requests that are answered by a reply."}
_OTHERS: Document = {"name": "jobs", "description": "Jobs, and what is told about them and calls."}


def suite_document() -> Document:
    """Return the document: services, addresses, requests with their replies, headers, examples."""
    channels: Document = {"replies": _replies()}
    operations: Document = {}
    for method in METHODS:
        for transport in Transport:
            name = f"{_short(method)}-{transport}"
            channels[name] = _channel(
                method.address(transport), transport, method.request, TRANSPORTS[transport],
                GROUP if transport is Transport.STREAM else None,
            )  # fmt: skip
            reply = _reply(method)
            operations[f"imaging.{name}.receive"] = _operation("receive", name, method, reply)
            operations[f"gateway.{name}.send"] = _operation("send", name, method, reply)
    for other in OTHER_CHANNELS:
        channels[other.name] = _channel(
            other.address, other.transport, other.message, other.summary, other.group
        )
        for action, services in (("send", other.senders), ("receive", other.receivers)):
            for service, does in services.items():
                operations[f"{service}.{other.name}.{action}"] = {
                    "action": action,
                    "title": f"{service}: {action} {other.message.__name__}",
                    "description": does,
                    "tags": [{"name": _OTHERS["name"]}],
                    "channel": _ref("channels", other.name),
                    "messages": [_ref("channels", other.name, "messages", other.message.__name__)],
                }
    return {
        "asyncapi": "3.1.0",
        "info": {
            "title": "Darkroom",
            "version": VERSION,
            "description": "An HTTP gateway and imaging workers that talk over Redis. Messages "
            "are JSON in FastStream's binary envelope, which holds the headers; in a stream "
            "entry it is the field `__data__`.",
            "license": {"name": "MIT"},
            "tags": [_CALLS, _OTHERS],
        },
        "defaultContentType": "application/json",
        "servers": {"redis": {"host": "localhost:6379", "pathname": "/", "protocol": "redis"}},
        "channels": channels,
        "operations": operations,
        "components": _components(),
    }


def _components() -> Document:
    requests = [method.request for method in METHODS]
    replies = [*(method.reply for method in METHODS), Failure]
    events = [other.message for other in OTHER_CHANNELS]
    everything = [*requests, *replies, *events]
    _, schemas = models_json_schema(
        [(model, "serialization") for model in everything],
        ref_template="#/components/schemas/{model}",
    )
    messages = {
        model.__name__: _message(model, headers)
        for models, headers in (
            (requests, "RequestHeaders"),
            (replies, "ReplyHeaders"),
            (events, "EventHeaders"),
        )
        for model in models
    }
    return {
        "messages": messages,
        "schemas": {
            "RequestHeaders": _headers(REQUEST_HEADERS, ["correlation_id", "reply_to"]),
            "ReplyHeaders": _headers(REPLY_HEADERS, ["correlation_id", "x-outcome", "x-worker"]),
            "EventHeaders": _headers(EVENT_HEADERS, ["correlation_id"]),
            **_as_asyncapi(schemas["$defs"]),
        },
    }


def _message(model: type[Message], headers: str) -> Document:
    examples = model.model_json_schema()["examples"]
    return {
        "name": model.__name__,
        "title": model.__name__,
        "summary": cleandoc(model.__doc__ or ""),
        "contentType": "application/json",
        "headers": _ref("components", "schemas", headers),
        "correlationId": {"location": "$message.header#/correlation_id"},
        "payload": _ref("components", "schemas", model.__name__),
        "examples": [{"payload": example} for example in examples],
    }


def _headers(described: Mapping[str, str], required: Sequence[str]) -> Document:
    return {
        "type": "object",
        "properties": {
            name: {"type": "string", "description": text} for name, text in described.items()
        },
        "required": list(required),
    }


def _channel(
    address: str, transport: Transport, carries: type[Message], text: str, group: str | None
) -> Document:
    redis = {"type": str(transport), **({"group": group} if group else {})}
    return {
        "address": address,
        "description": text,
        "messages": {carries.__name__: _ref("components", "messages", carries.__name__)},
        "x-redis": redis,
    }


def _replies() -> Document:
    names = [*(method.reply.__name__ for method in METHODS), Failure.__name__]
    return {
        "address": None,
        "description": "The header `reply_to` of a request names the channel of its reply.",
        "messages": {name: _ref("components", "messages", name) for name in names},
        "x-redis": {"type": str(Transport.CHANNEL)},
    }


def _reply(method: Method[Any, Any]) -> Document:
    names = (method.reply.__name__, Failure.__name__)
    return {
        "address": {"location": "$message.header#/reply_to"},
        "channel": _ref("channels", "replies"),
        "messages": [_ref("channels", "replies", "messages", name) for name in names],
    }


def _operation(action: str, channel: str, method: Method[Any, Any], reply: Document) -> Document:
    request, answer = method.request.__name__, method.reply.__name__
    if action == "receive":
        title = f"imaging: answer {method.name}"
        does = f"Takes a {request}, and publishes a {answer} or a Failure to `reply_to`."
    else:
        title = f"gateway: call {method.name}"
        does = (
            f"Sends a {request}, and waits for a {answer} or a Failure until `x-deadline`. The "
            "caller of the gateway chooses the transport."
        )
    return {
        "action": action,
        "title": title,
        "description": does,
        "tags": [{"name": _CALLS["name"]}],
        "channel": _ref("channels", channel),
        "messages": [_ref("channels", channel, "messages", request)],
        "reply": reply,
    }


def _short(method: Method[Any, Any]) -> str:
    return method.name.rpartition(".")[-1]


def _ref(*path: str) -> Document:
    return {"$ref": "#/" + "/".join(path)}


def _as_asyncapi(schema: Any) -> Any:
    """Return a JSON Schema of pydantic's with AsyncAPI's `discriminator`, a property name."""
    if isinstance(schema, list):
        return [_as_asyncapi(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: value["propertyName"]
        if key == "discriminator" and isinstance(value, dict)
        else _as_asyncapi(value)
        for key, value in schema.items()
    }


def suite_yaml() -> str:
    """Return the suite's document as YAML."""
    return as_yaml(suite_document())


def suite_specification() -> GivenSpecification:
    """Return the suite's document as an application takes it, whichever service asks."""
    return GivenSpecification(suite_document, title="Darkroom", version=VERSION)
