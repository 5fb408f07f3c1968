"""Methods have distinct addresses, and renders have keys by their content."""

import pytest

from contracts.formats import Format
from contracts.imaging import INSPECT, METHODS, RENDER, Blob, Render
from contracts.jobs import EVENTS, JOBS
from contracts.methods import Transport
from contracts.operations.pipeline import Pipeline
from contracts.operations.shapes import Flip, Rotate
from contracts.outputs import Output

BLOB = Blob(key="a" * 64, media_type="image/png", bytes=1)


def test_a_method_has_an_address_on_each_transport() -> None:
    assert [RENDER.address(transport) for transport in Transport] == [
        "imaging.render",
        "imaging.render:list",
        "imaging.render:stream",
    ]
    assert INSPECT.address(Transport.CHANNEL) == "imaging.inspect"


def test_addresses_are_distinct() -> None:
    addresses = [method.address(transport) for method in METHODS for transport in Transport]

    assert len({*addresses, JOBS, EVENTS}) == len(addresses) + 2


def test_equal_renders_have_equal_result_keys() -> None:
    one = Render(source=BLOB, pipeline=Pipeline(operations=(Rotate(degrees=90),)))
    other = Render.model_validate_json(one.model_dump_json())

    assert one.result_key() == other.result_key()
    assert one.model_copy(update={"reuse": False}).result_key() == one.result_key()


@pytest.mark.parametrize(
    "other",
    [
        Render(source=BLOB.model_copy(update={"key": "b" * 64})),
        Render(source=BLOB, pipeline=Pipeline(operations=(Flip(),))),
        Render(source=BLOB, pipeline=Pipeline(operations=(Flip(), Flip()))),
        Render(source=BLOB, pipeline=Pipeline(output=Output(quality=79))),
        Render(source=BLOB, pipeline=Pipeline(output=Output(format=Format.PNG))),
    ],
)
def test_different_renders_have_different_result_keys(other: Render) -> None:
    assert other.result_key() != Render(source=BLOB).result_key()
