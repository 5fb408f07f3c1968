"""Overlays: the images that a pipeline needs, and the text that can be drawn."""

import pytest
from pydantic import ValidationError

from contracts.operations.looks import Grayscale
from contracts.operations.overlays import MAX_TEXT, Text, Watermark
from contracts.operations.pipeline import MAX_IMAGES, Pipeline

ONE, OTHER = "1" * 64, "2" * 64


def test_a_pipeline_lists_the_images_that_it_needs_in_order_and_once() -> None:
    operations = (
        Watermark(image=OTHER),
        Grayscale(),
        Watermark(image=ONE),
        Watermark(image=OTHER, scale=0.5),
    )

    assert Pipeline(operations=operations).images == (OTHER, ONE)
    assert Pipeline().images == ()


def test_the_number_of_images_is_limited() -> None:
    several = [Watermark(image=f"{number:064x}") for number in range(MAX_IMAGES + 1)]

    assert len(Pipeline(operations=(*several[1:], several[1])).images) == MAX_IMAGES
    with pytest.raises(ValidationError, match="8 images at most"):
        Pipeline(operations=tuple(several))


def test_equal_colours_make_equal_pipelines() -> None:
    one, other = (Pipeline(operations=(Text(text="!", colour=c),)) for c in ("#FFF", "white"))

    assert one.model_dump_json() == other.model_dump_json()


@pytest.mark.parametrize("text", ["one\ntwo", "naïve café", "שלום", "👩‍🔧", "x" * MAX_TEXT])
def test_text_in_any_script_is_accepted(text: str) -> None:
    assert Text.model_validate({"text": text}).text == text


@pytest.mark.parametrize(
    "text",
    ["", "x" * (MAX_TEXT + 1), "\0", "tab\tbed", "\x1b[31m", "\r\n", "\x85", "\u2028", "\ud83d"],
    ids=["empty", "long", "nul", "tab", "escape", "crlf", "next line", "separator", "half a pair"],
)
def test_text_that_cannot_be_drawn_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        Text.model_validate({"text": text})
