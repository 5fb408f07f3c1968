"""Errors in requests, in words: which field, and what it should be."""

import pytest
from pydantic import ValidationError

from contracts.explanations import explain
from contracts.formats import Format
from contracts.operations.notation import parse_pipeline
from contracts.operations.pipeline import Pipeline


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (
            '{"operations": [{"op": "resize", "widht": 3}]}',
            "operations.0.resize: 'widht' is not a field (did you mean 'width'?).",
        ),
        (
            '{"operations": [{"op": "grayscale", "power": 3}]}',
            "operations.0.grayscale: 'power' is not a field; there are none.",
        ),
        (
            '{"output": {"zzz": 1, "palette": 1}}',
            "output.palette: should be 2 or more; output: 'zzz' is not a field; there are: format,",
        ),
        ('{"outptu": 1}', "'outptu' is not a field (did you mean 'output'?)."),
        ('{"operations": [{"op": "rotate"}]}', "operations.0.rotate.degrees: is required."),
        (
            '{"operations": [{"op": "resize", "width": 1.5}]}',
            "operations.0.resize.width: should be a whole number.",
        ),
        (
            '{"operations": [{"op": "flip", "axis": "up"}]}',
            "operations.0.flip.axis: should be one of 'horizontal' or 'vertical'.",
        ),
        (
            '{"operations": [' + ",".join(['{"op": "flop"}'] * 33) + "]}",
            "operations: should have 32 items at most, not 33.",
        ),
        ('{"output": {"lossless": "maybe"}}', "output.lossless: should be true or false."),
        ("[]", "Input should be an object."),
        ("", "the JSON is empty."),
        ("[", "the JSON ends too early, at line 1, column 1, inside a list."),
        (
            '{"output":',
            "the JSON ends too early, at line 1, column 10, where a value should follow.",
        ),
        ('{"output" 1}', "the JSON is malformed at line 1, column 11: expected `:`."),
        (
            '{"operations": [{"op": "text", "text": "a", "opacity": 2}]}',
            "operations.0.text.opacity: should be 1 or less.",
        ),
        (
            '{"operations": [{"op": "watermark", "image": "../a"}]}',
            "operations.0.watermark.image: should be 64 digits and lower-case letters a to f.",
        ),
    ],
)
def test_a_sentence_names_the_field_and_what_it_should_be(body: str, sentence: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Pipeline.model_validate_json(body)

    assert explain(refused.value, Pipeline).startswith(sentence)


def test_a_long_name_is_cut() -> None:
    with pytest.raises(ValidationError) as refused:
        Pipeline.model_validate({"x" * 10_000: 1})

    assert len(explain(refused.value, Pipeline)) < 120


@pytest.mark.parametrize(
    ("suffix", "format"), [("jpg", Format.JPEG), ("tif", Format.TIFF), ("heic", Format.HEIF)]
)
def test_the_suffix_of_a_format_names_it(suffix: str, format: Format) -> None:
    assert parse_pipeline([], suffix).output.format is format
    assert Pipeline.model_validate({"output": {"format": suffix}}).output.format is format
