"""The reference of messages: every address, message, field and header of the AsyncAPI document."""

import re
from typing import Any

import pytest

from docs.generate.messages import pages as messages
from services.runtime.introspection.asyncapi import suite_document

DOCUMENT = suite_document()
SCHEMAS = DOCUMENT["components"]["schemas"]
PAGE = messages.pages()[messages.PATH]
HEADERS = ("RequestHeaders", "ReplyHeaders", "EventHeaders")


@pytest.mark.parametrize(
    "channel", [channel for channel in DOCUMENT["channels"].values() if channel["address"]]
)
def test_an_address_is_on_the_page_with_its_transport_and_its_messages(
    channel: dict[str, Any],
) -> None:
    row = rf"^\| `{re.escape(channel['address'])}`[^|]* \| {channel['x-redis']['type']} \|"
    assert re.search(row, PAGE, re.M)
    for name in channel["messages"]:
        assert name in PAGE


@pytest.mark.parametrize("name", DOCUMENT["components"]["messages"])
def test_a_message_is_on_the_page_with_its_fields_and_an_example(name: str) -> None:
    for field, described in SCHEMAS[name]["properties"].items():
        assert re.search(rf"^\| `{field}` \|.*{re.escape(described['description'])}", PAGE, re.M)
        assert f'"{field}"' in PAGE or "default" in described


@pytest.mark.parametrize("name", HEADERS)
def test_every_header_is_on_the_page(name: str) -> None:
    for header, described in SCHEMAS[name]["properties"].items():
        assert f"| `{header}`" in PAGE
        assert described["description"] in PAGE


def test_every_link_to_a_model_leads_to_a_heading() -> None:
    headings = {heading.lower() for heading in re.findall(r"^### (\w+)$", PAGE, re.M)}

    assert set(re.findall(r"\]\(#(\w+)\)", PAGE)) <= headings
