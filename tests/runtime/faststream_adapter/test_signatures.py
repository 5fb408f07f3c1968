"""FastStream's private names that the adapter leans on are as they were; a moved one is named."""

import inspect
from collections.abc import Mapping
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from faststream.redis import RedisBroker
from faststream.redis.parser import BinaryMessageFormatV1

from contracts.methods import Transport
from services.runtime.messaging import destination, envelope

ROOT = Path(__file__).parents[3]

_FORMAT = "*, message, reply_to, headers, correlation_id, serializer, codec"

SIGNATURES = {
    # overridden or called by AdaptedBroker
    "faststream.redis:RedisBroker._make_connection_state": "self, connection_options, kwargs",
    "faststream.redis:RedisBroker._make_producer": "self, connection_state, kwargs",
    "faststream._internal.broker.registrator:Registrator.subscriber": (
        "self, subscriber, persistent"
    ),
    # overridden by _GivenConnection
    "faststream.redis.configs:RedisConnectionState.__init__": "self, options",
    "faststream.redis.configs:RedisConnectionState.connect": "self",
    "faststream.redis.configs:RedisConnectionState.disconnect": "self",
    # overridden or called by SenderProducer
    "faststream.redis.publisher.producer:RedisFastProducer.__init__": (
        "self, connection, parser, decoder, message_format, serializer"
    ),
    "faststream.redis.publisher.producer:RedisFastProducer.request": "self, cmd",
    "faststream.redis.publisher.producer:RedisFastProducer.publish": "self, cmd",
    "faststream.redis.publisher.producer:RedisFastProducer.connect": "self, serializer, codec",
    "faststream.message:encode_message": "msg, serializer",
    "faststream.message:decode_message": "message",
    # called by message_of and reply_of
    "faststream.message:StreamMessage.__init__": (
        "self, raw_message, body, *, headers, reply_to, batch_headers, path, content_type, "
        "correlation_id, message_id, source_type"
    ),
    "faststream.redis.message:RedisStreamMessage.__init__": (
        "self, *args, consumer, group, **kwargs"
    ),
    # called by Serving
    "faststream.response:ensure_response": "response",
    # overridden or called by ConsumerSubscriber
    "faststream.redis.subscriber.usecases:LogicSubscriber.__init__": (
        "self, config, specification, calls"
    ),
    "faststream.redis.subscriber.usecases:LogicSubscriber.start": "self, *args",
    "faststream.redis.subscriber.usecases:LogicSubscriber.stop": "self",
    "faststream.redis.subscriber.usecases:LogicSubscriber.process_message": "self, msg",
    "faststream.redis.subscriber.usecases:LogicSubscriber.get_log_context": "self, message",
    "faststream.redis.subscriber.usecases:LogicSubscriber.build_log_context": "message, channel",
    "faststream.redis.subscriber.usecases:LogicSubscriber._get_msgs": "self, *args",
    "faststream.redis.subscriber.usecases:LogicSubscriber.get_one": "self, *, timeout",
    "faststream.redis.subscriber.usecases:LogicSubscriber.__call__": (
        "self, func, *, filter, parser, decoder, dependencies"
    ),
    "faststream._internal.endpoint.subscriber.usecase:SubscriberUsecase.start": "self",
    "faststream.redis.subscriber.specification:RedisSubscriberSpecification.__init__": (
        "self, _outer_config, specification_config, calls"
    ),
    "faststream.redis.subscriber.specification:RedisSubscriberSpecification.get_schema": "self",
    "faststream.redis.parser:RedisPubSubParser.__init__": "self, config, pattern",
    "faststream.redis.parser:RedisPubSubParser.parse_message": "self, message",
    "faststream.redis.parser:RedisListParser.__init__": "self, config, pattern",
    "faststream.redis.parser:RedisListParser.parse_message": "self, message",
    "faststream.redis.parser:RedisStreamParser.__init__": "self, *args, **kwargs",
    "faststream.redis.parser:RedisStreamParser.parse_message": "self, message",
    "faststream.redis.parser:SimpleParserConfig.__init__": "self, message_format",
    # overridden or called by Envelope
    "faststream.redis.parser:BinaryMessageFormatV1.build": _FORMAT,
    "faststream.redis.parser:BinaryMessageFormatV1.encode": _FORMAT,
    "faststream.redis.parser:BinaryMessageFormatV1.parse": "data",
    # overridden by GivenSpecification
    "faststream.specification.base:SpecificationFactory.add_broker": "self, broker, /",
    "faststream.specification.base:SpecificationFactory.add_http_route": "self, path, handler",
    "faststream.specification.base:SpecificationFactory.to_specification": "self",
}

ATTRIBUTES = {
    "faststream._internal.endpoint.subscriber.call_item:CallsCollection": [],
    "faststream.redis.configs:RedisConnectionState": ["client"],
    "faststream.redis.message:DefaultListMessage": ["type", "channel", "data"],
    "faststream.redis.message:DefaultStreamMessage": ["type", "channel", "data", "message_ids"],
    "faststream.redis.message:PubSubMessage": ["type", "channel", "data", "pattern"],
    "faststream.redis.parser:BinaryMessageFormatV1": ["IDENTITY_HEADER"],
    "faststream._internal.configs:BrokerConfig": ["broker_middlewares"],
    "faststream._internal.configs:ConfigComposition": ["broker_config"],
    "faststream.redis.publisher.producer:RedisFastProducer": ["serializer"],
    "faststream.response.publish_type:PublishType": ["REPLY"],
    "faststream.redis.response:RedisPublishCommand": ["destination_type"],
    "faststream.redis.subscriber.config:RedisSubscriberConfig": [
        *("_outer_config", "_ack_policy", "parser", "decoder"),
    ],
    "faststream.redis.subscriber.config:RedisSubscriberSpecificationConfig": [
        *("title_", "description_"),
    ],
    "faststream.redis.subscriber.usecases:LogicSubscriber": ["running", "config"],
    "faststream.specification.base:Specification": [
        *("title", "to_json", "to_jsonable", "to_yaml"),
    ],
}

COMMAND_ATTRIBUTES = [
    *("body", "headers", "correlation_id", "reply_to", "timeout"),
    *("destination", "destination_type", "maxlen", "pipeline", "publish_type"),
]


def find(place: str) -> Any:
    """Return the object at `module:name.name`, or None if it is gone."""
    module, _, name = place.partition(":")
    try:
        return attrgetter(name)(import_module(module))
    except (ImportError, AttributeError):
        return None


def parameters(function: Any) -> str:
    """Return the parameters of a function without their annotations and defaults."""
    bare = inspect.Parameter.empty
    signature = inspect.signature(function)
    kept = [p.replace(annotation=bare, default=bare) for p in signature.parameters.values()]
    return str(signature.replace(parameters=kept, return_annotation=bare)).strip("()")


def moved_signatures(expected: Mapping[str, str]) -> list[str]:
    """Return one sentence for each function that is gone or has other parameters."""
    moved = []
    for place, recorded in expected.items():
        found = find(place)
        if found is None:
            moved.append(f"FastStream moved {place}: it is gone")
        elif (now := parameters(found)) != recorded:
            moved.append(f"FastStream moved {place}: it took ({recorded}), and takes ({now})")
    return moved


def moved_attributes(expected: Mapping[str, list[str]]) -> list[str]:
    """Return one sentence for each class or attribute that is gone."""
    moved = []
    for place, names in expected.items():
        found = find(place)
        if found is None:
            moved.append(f"FastStream moved {place}: it is gone")
            continue
        known = set(dir(found))
        for kind in found.__mro__:
            known |= set(getattr(kind, "__annotations__", ()))
        moved += [f"FastStream moved {place}.{name}: it is gone" for name in names
                  if name not in known]  # fmt: skip
    return moved


def test_the_signatures_are_as_recorded() -> None:
    assert moved_signatures(SIGNATURES) == []


def test_the_attributes_are_there() -> None:
    assert moved_attributes(ATTRIBUTES) == []


def test_a_publish_command_has_what_the_producer_reads() -> None:
    kind = find("faststream.redis.response:RedisPublishCommand")
    command = kind("body", channel="x", _publish_type=None)
    gone = [name for name in COMMAND_ATTRIBUTES if not hasattr(command, name)]
    assert gone == [], f"FastStream moved {gone} of RedisPublishCommand"


def test_our_constants_are_faststreams() -> None:
    assert envelope.IDENTITY == BinaryMessageFormatV1.IDENTITY_HEADER
    version = find("faststream.redis.parser.binary:FastStreamMessageVersion")
    assert version.v1.value == envelope.VERSION
    assert find("faststream.redis.message:DATA_KEY") == destination.DATA_FIELD
    kinds = find("faststream.redis.response:DestinationType")
    assert {kind.value for kind in kinds} == {kind.value for kind in Transport}


def test_a_moved_name_is_reported_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def _make_producer(self: object, state: object) -> None: ...

    monkeypatch.setattr(RedisBroker, "_make_producer", _make_producer)
    monkeypatch.delattr("faststream.redis.parser.BinaryMessageFormatV1.IDENTITY_HEADER")
    monkeypatch.delattr("faststream._internal.broker.registrator.Registrator")
    reports = moved_signatures(SIGNATURES) + moved_attributes(ATTRIBUTES)
    assert reports == [
        "FastStream moved faststream.redis:RedisBroker._make_producer: "
        "it took (self, connection_state, kwargs), and takes (self, state)",
        "FastStream moved faststream._internal.broker.registrator:Registrator.subscriber: "
        "it is gone",
        "FastStream moved faststream.redis.parser:BinaryMessageFormatV1.IDENTITY_HEADER: "
        "it is gone",
    ]


def test_faststreams_internal_modules_are_imported_by_the_adapter_alone() -> None:
    adapter = ROOT / "services" / "runtime" / "faststream_adapter"
    importers = [
        path
        for folder in ("services", "contracts", "darkroom", "bench", "devserver")
        for path in (ROOT / folder).rglob("*.py")
        if "faststream._internal" in path.read_text(encoding="utf-8")
    ]
    assert importers
    assert all(path.parent == adapter for path in importers), importers
