"""Outputs: the same in a query and in JSON, with unsupported fields refused."""

import pytest
from pydantic import ValidationError

from contracts.errors import InvalidOperation
from contracts.explanations import explain
from contracts.formats import Format
from contracts.operations.notation import parse_pipeline
from contracts.outputs import AUTO, Chroma, Metadata, Output, Profile


def test_a_query_and_json_give_the_same_output() -> None:
    asked = parse_pipeline(
        [],
        "jpeg",
        "70",
        progressive="true",
        chroma="444",
        max_bytes="50000",
        metadata="copyright",
        icc="keep",
        animated="false",
        palette=None,
    )

    assert asked.output == Output(
        format=Format.JPEG,
        quality=70,
        progressive=True,
        chroma=Chroma.FULL,
        max_bytes=50_000,
        metadata=Metadata.COPYRIGHT,
        icc=Profile.KEEP,
        animated=False,
    )
    assert Output.model_validate_json(asked.output.model_dump_json()) == asked.output


def test_format_and_quality_may_be_left_to_the_service() -> None:
    output = parse_pipeline([], "auto", "auto").output

    assert (output.format, output.quality) == (AUTO, AUTO)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"format": "qoi"}, "output: format: should be one of jpeg, png"),
        ({"quality": "0"}, "output: quality: should be 1 to 100, or auto"),
        ({"quality": "best"}, "output: quality: "),
        ({"format": "jpeg", "lossless": "true"}, "output: lossless: jpeg has none"),
        ({"format": "avif", "lossless": "true"}, "output: lossless: avif has none"),
        ({"format": "png", "progressive": "true"}, "output: progressive: png has none"),
        ({"format": "webp", "chroma": "444"}, "output: chroma: webp has none"),
        ({"format": "jpeg", "palette": "16"}, "output: palette: jpeg has none"),
        ({"format": "png", "palette": "16", "lossless": "true"}, "output: palette: "),
        ({"palette": "1"}, "output: palette: "),
        ({"chroma": "411"}, "output: chroma: "),
        ({"max_bytes": "0"}, "output: max_bytes: "),
        ({"metadata": "all"}, "output: metadata: "),
        ({"sharpness": "1"}, "output: 'sharpness' is not a field"),
    ],
)
def test_an_unsupported_field_is_refused_by_name(query: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidOperation) as refused:
        parse_pipeline([], **query)

    assert message in refused.value.detail
    with pytest.raises(ValidationError) as wrong:
        Output.model_validate(query)
    assert explain(wrong.value, Output) in refused.value.detail
