"""The notation of operations in a query."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import InvalidOperation
from contracts.formats import Format
from contracts.operations.choices import Axis, Fit
from contracts.operations.finishes import Round
from contracts.operations.looks import Adjust, Blur, Duotone, Grayscale, Sharpen
from contracts.operations.notation import parse_operation, parse_pipeline
from contracts.operations.overlays import Position, Text, Watermark
from contracts.operations.pipeline import MAX_OPERATIONS, Operation
from contracts.operations.shapes import Crop, Flip, Resize, Rotate
from contracts.outputs import Output

KEY = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "operation"),
    [
        ("resize:width=720,height=588", Resize(width=720, height=588)),
        ("resize:height=5,fit=inside,enlarge=true", Resize(height=5, fit=Fit.INSIDE, enlarge=True)),
        ("resize:720", Resize(width=720)),
        ("resize:width=7,enlarge=crop", Resize(width=7, enlarge="crop")),
        ("crop:left=1,top=2,width=3,height=4", Crop(left=1, top=2, width=3, height=4)),
        ("rotate:degrees=-90", Rotate(degrees=-90)),
        ("rotate:90", Rotate(degrees=90)),
        ("flip", Flip()),
        ("flip:vertical", Flip(axis=Axis.VERTICAL)),
        ("grayscale", Grayscale()),
        ("blur:4", Blur(radius=4)),
        ("blur:radius=0.5", Blur(radius=0.5)),
        ("sharpen", Sharpen()),
        ("sharpen:1.5", Sharpen(amount=1.5)),
        ("adjust:contrast=2,brightness=0.5", Adjust(brightness=0.5, contrast=2)),
        ("adjust:1.2", Adjust(brightness=1.2)),
        (
            "duotone:shadows=navy,highlights=ffd700",
            Duotone(shadows="#000080", highlights="#ffd700"),
        ),
        ("round:20", Round(radius=20)),
        ("round:10%", Round(radius="10%")),
        ("round:circle", Round(radius="circle")),
        (f"watermark:{KEY}", Watermark(image=KEY)),
        (f"watermark:image={KEY},position=tile", Watermark(image=KEY, position=Position.TILE)),
        ("text:12 Rose Lane", Text(text="12 Rose Lane")),
        ("text:text=Hello\\, you,size=4%", Text(text="Hello, you", size="4%")),
        ("text:text=1+1=2,size=40", Text(text="1+1=2", size=40)),
        ("text:Hello\\, you", Text(text="Hello, you")),
        ("text:back\\slash\\", Text(text="back\\slash\\")),
    ],
)
def test_text_is_parsed_into_an_operation(text: str, operation: Operation) -> None:
    assert parse_operation(text) == operation


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("melt", "'melt' is not an operation; there are: resize, crop"),
        ("", "'' is not an operation"),
        ("Flip", "'Flip' is not an operation"),
        ("flip ", "'flip ' is not an operation"),
        ("resize", "resize: "),
        ("resize:width=x", "resize: width: "),
        ("resize:depth=1", "resize: 'depth' is not a field; there are: width"),
        ("resize:width=1,width=2", "resize: 'width' is given twice"),
        ("resize:1,2", "resize: name the fields"),
        ("resize:720,height=588", "resize: name the fields"),
        ("resize:width=1,", "resize: name the fields"),
        ("rotate:op=blur", "rotate: 'op' is given twice"),
        ("rotate:", "rotate: degrees: "),
        ("grayscale:1", "grayscale: "),
        ("blur:nan", "blur: radius: "),
        ("flip:axis=vertical=horizontal", "flip: axis: "),
        ("text:Hello, you", "text: name the fields when there are several; in a value"),
        ("text:one\ttwo", "text: text: a line feed is the only control character"),
        ("duotone:mud", "duotone: shadows: write #rrggbb"),
        ("round:square", "round: radius: should be 0 to 16384, a percentage such as 10%, or"),
        ("text:text=a,size=150%", "text: size: should be 1 to 2000, or a percentage such as"),
        ("resize:width=7,enlarge=no way", "resize: enlarge: should be true, false or crop."),
        ("watermark:logo", "watermark: image: "),
        ("watermark:image=" + "0" * 64 + ",position=tile,x=-1", "can't be below 0 for a tile"),
    ],
)
def test_an_error_names_the_operation_and_the_field(text: str, message: str) -> None:
    with pytest.raises(InvalidOperation) as refused:
        parse_operation(text)

    assert message in refused.value.detail


@given(st.text(max_size=60) | st.from_regex(r"(resize|rotate|flip|blur|text):[\w=,.\\]*"))
def test_any_text_is_parsed_or_refused_with_a_sentence(text: str) -> None:
    detail = "Fine."
    try:
        parse_operation(text)
    except InvalidOperation as exc:
        detail = exc.detail

    assert len(detail) < 1000
    assert detail.endswith(".")


def test_a_long_text_is_not_repeated_in_the_error() -> None:
    for text in ("x" * 10_000, "flip:" + "x" * 10_000, "flip:" + "x" * 10_000 + "=1"):
        with pytest.raises(InvalidOperation) as refused:
            parse_operation(text)
        assert len(refused.value.detail) < 1000


def test_a_pipeline_has_its_operations_in_order_and_its_output() -> None:
    pipeline = parse_pipeline(["flip", "rotate:90"], "webp", "70")

    assert pipeline.operations == (Flip(), Rotate(degrees=90))
    assert pipeline.output == Output(format=Format.WEBP, quality=70)


def test_an_empty_query_is_an_empty_pipeline() -> None:
    pipeline = parse_pipeline([])

    assert pipeline.operations == ()
    assert pipeline.output.format is None


@pytest.mark.parametrize(
    ("operations", "format", "quality", "message"),
    [
        ([], "qoi", None, "output: format: "),
        ([], None, "0", "output: quality: "),
        ([], None, "best", "output: quality: "),
        (["flip"] * (MAX_OPERATIONS + 1), None, None, "operations: "),
    ],
)
def test_an_error_in_a_pipeline_names_the_field(
    operations: list[str], format: str | None, quality: str | None, message: str
) -> None:
    with pytest.raises(InvalidOperation) as refused:
        parse_pipeline(operations, format, quality)

    assert message in refused.value.detail
