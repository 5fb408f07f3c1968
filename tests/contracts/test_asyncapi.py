"""asyncapi.yaml: up to date, true of the running services, with valid examples."""

import importlib
import pkgutil
from pathlib import Path
from typing import Any

import pytest
import yaml

import contracts
from contracts.control import CONTROL
from contracts.message import Message
from contracts.operations.pipeline import OPERATIONS
from services.gateway.app import create_app as create_gateway
from services.gateway.settings import GatewaySettings
from services.imaging.app import create_app as create_imaging
from services.imaging.settings import ImagingSettings
from services.runtime.introspection.asyncapi import suite_yaml
from tests.json_references import references

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "asyncapi.yaml").read_text(encoding="utf-8")
DOCUMENT: dict[str, Any] = yaml.safe_load(TEXT)

Place = tuple[str, str]  # a kind and an address


def test_asyncapi_yaml_is_up_to_date_with_the_contracts() -> None:
    assert suite_yaml() == TEXT, "run make generate"


def test_imaging_subscribes_to_the_documented_addresses() -> None:
    [broker] = create_imaging(ImagingSettings()).brokers

    assert subscribed(broker) == received_by("imaging")


def test_the_gateway_subscribes_to_the_documented_addresses() -> None:
    [broker] = create_gateway(GatewaySettings()).brokers

    # The news of purges have a subscription outside of the broker.
    assert subscribed(broker) | {("channel", CONTROL)} == received_by("gateway")


def test_every_received_message_has_a_sender() -> None:
    ways: dict[str, set[str]] = {"send": set(), "receive": set()}
    for operation in DOCUMENT["operations"].values():
        ways[operation["action"]].add(operation["channel"]["$ref"])

    assert ways["receive"] <= ways["send"]


@pytest.mark.parametrize("name", DOCUMENT["components"]["messages"])
def test_every_documented_example_is_a_valid_message(name: str) -> None:
    examples = DOCUMENT["components"]["messages"][name]["examples"]

    assert examples
    for example in examples:
        contract(name).model_validate(example["payload"])


def test_every_operation_is_described() -> None:
    for name, operation in DOCUMENT["operations"].items():
        assert operation["title"], name
        assert operation["description"].endswith("."), name


def test_the_name_of_an_image_operation_is_required_and_has_a_title_of_its_own() -> None:
    schemas = [DOCUMENT["components"]["schemas"][model.__name__] for model in OPERATIONS.values()]
    titles = [schema["properties"]["op"]["title"] for schema in schemas]

    assert len(set(titles)) == len(OPERATIONS)
    assert all("op" in schema["required"] for schema in schemas)
    assert not any("default" in schema["properties"]["op"] for schema in schemas)


def test_every_reference_can_be_resolved() -> None:
    for reference in references(DOCUMENT):
        place: Any = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            assert part in place, reference
            place = place[part]


def subscribed(broker: Any) -> set[Place]:
    """Return the addresses that a broker subscribes to."""
    assert len(broker.subscribers) == len(broker.consumers)
    return {(str(consumer.transport), consumer.address) for consumer in broker.consumers}


def received_by(service: str) -> set[Place]:
    """Return the addresses that a service receives from, by the document."""
    channels = DOCUMENT["channels"]
    named = [
        operation["channel"]["$ref"].rpartition("/")[2]
        for name, operation in DOCUMENT["operations"].items()
        if operation["action"] == "receive" and name.startswith(f"{service}.")
    ]
    return {(channels[name]["x-redis"]["type"], channels[name]["address"]) for name in named}


def contract(name: str) -> type[Message]:
    """Find the model of a message in the modules of the contracts."""
    for module in pkgutil.iter_modules(contracts.__path__):
        found = getattr(importlib.import_module(f"contracts.{module.name}"), name, None)
        if isinstance(found, type) and issubclass(found, Message):
            return found
    raise AssertionError(name)
