"""The table of formats: complete, and true of the files that the engine writes."""

import tomllib
from pathlib import Path

import pytest

from contracts.formats import AUTO_FORMATS, FORMATS, Format, format_of_suffix, suffix_of
from contracts.imaging import Blob, Inspect, Render
from contracts.operations.pipeline import Pipeline
from contracts.outputs import Output
from tests.imaging.pictures import encoded, quadrants

ROOT = Path(__file__).resolve().parents[2]


def test_every_format_has_a_row() -> None:
    assert list(FORMATS) == list(Format)


@pytest.mark.parametrize("format", Format)
def test_a_written_file_matches_the_magic_of_its_format_alone(format: Format) -> None:
    data = encoded(quadrants(), format.upper())

    assert [other for other in Format if other.spec.matches(data)] == [format]


def test_no_two_formats_share_a_suffix_or_a_media_type() -> None:
    suffixes = [suffix for spec in FORMATS.values() for suffix in spec.suffixes]

    assert len(set(suffixes)) == len(suffixes)
    assert len({spec.media_type for spec in FORMATS.values()}) == len(FORMATS)


def test_a_format_is_found_by_its_suffix_and_a_suffix_by_media_type() -> None:
    assert format_of_suffix(".JPG") is Format.JPEG
    assert format_of_suffix(".heic") is Format.HEIF
    assert format_of_suffix(".qoi") is None
    assert suffix_of("image/jpeg") == ".jpg"
    assert suffix_of("image/new") == ".new"


def test_a_format_that_needs_a_package_has_an_extra_of_its_name() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    extras = project["project"]["optional-dependencies"]

    for format, spec in FORMATS.items():
        if spec.package is not None:
            assert extras[format], format


def test_auto_tries_newer_formats_first() -> None:
    assert AUTO_FORMATS == (Format.AVIF, Format.WEBP, Format.JPEG, Format.PNG)


@pytest.mark.parametrize(
    ("source", "format", "expected"),
    [
        (".jpeg", None, ".jpg"),
        (".webp", None, ".webp"),
        (".heic", None, ".jpg"),
        (".jxl", None, ".jpg"),
        (".gif", None, ".png"),
        (".tif", None, ".png"),
        (".qoi", None, ".png"),
        (".png", Format.JPEG, ".jpg"),
        (".png", Format.TIFF, ".tiff"),
    ],
)
def test_a_result_s_suffix_is_expected_by_output_and_source(
    source: str, format: Format | None, expected: str
) -> None:
    assert Output(format=format).expected_suffix(source) == expected


def test_the_json_schema_carries_the_table() -> None:
    [table] = [
        schema["x-formats"]
        for schema in Output.model_json_schema()["$defs"].values()
        if "x-formats" in schema
    ]

    assert [row["name"] for row in table] == list(Format)
    assert table[0]["media_type"] == "image/jpeg"
    assert table[0]["suffixes"] == [".jpg", ".jpeg"]


def test_a_request_tells_the_formats_that_it_needs() -> None:
    source = Blob(key="0" * 64, media_type="image/heif", bytes=1)
    unknown = source.model_copy(update={"media_type": "application/octet-stream"})
    to_jxl = Pipeline(output=Output(format=Format.JXL))
    assert Render(source=source, pipeline=to_jxl).formats() == {Format.HEIF, Format.JXL}
    to_any = Pipeline(output=Output(format="auto"))
    assert Render(source=unknown, pipeline=to_any).formats() == set()
    assert Inspect(source=source).formats() == {Format.HEIF}
    assert Inspect(source=unknown).formats() == set()
