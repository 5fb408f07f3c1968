"""The reference of operations, outputs and formats: complete, and equal to what is accepted."""

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from contracts.formats import AUTO_FORMATS, Format
from contracts.operations.notation import parse_pipeline
from contracts.operations.pipeline import OPERATIONS, Pipeline
from contracts.outputs import Output
from docs.generate import formats, operations, outputs, readme

ROOT = Path(__file__).resolve().parents[2]

OPERATION_PAGES = operations.pages()
INDEX = OPERATION_PAGES["reference/operations.md"]
[OUTPUTS] = outputs.pages().values()
[FORMATS] = formats.pages().values()

FIELDS = [
    (name, field)
    for name, operation in OPERATIONS.items()
    for field in operation.model_fields
    if field != "op"
]
KEY = "0" * 64


def section(page: str, heading: str) -> str:
    """Return the text below a heading, up to the next heading."""
    found = re.search(rf"^(#+) {re.escape(heading)}$(.*?)(?=^#{{1,3}} |\Z)", page, re.M | re.S)
    assert found, heading
    return found[2]


def section_of(operation: str) -> str:
    family = OPERATIONS[operation].family
    return section(OPERATION_PAGES[f"reference/operations/{family}.md"], operation)


def row(text: str, first: str) -> list[str]:
    """Return the cells of the only row whose first cell is the code or link of this name."""
    rows = re.findall(rf"^\| (?:\[`{first}`\]\(\S+\)|`{first}`) \|.*$", text, re.M)
    assert len(rows) == 1, (first, rows)
    return [cell.strip() for cell in rows[0].strip("|").split("|")]


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_link_of_the_index_leads_to_each_operation(name: str) -> None:
    [page] = re.findall(rf"\[`{name}`\]\((\S+)#{name}\)", INDEX)
    assert f"\n## {name}\n" in OPERATION_PAGES[f"reference/{page}"]


def test_the_readme_s_thumbnails_lead_to_sections_and_show_pictures() -> None:
    links = re.findall(r"\]\(docs/(\S+)#(\w+)\)", readme.thumbnails())
    pictures = re.findall(r'src="(\S+)"', readme.thumbnails())
    assert len(links) == len(pictures) == 6
    for page, name in links:
        assert f"\n## {name}\n" in OPERATION_PAGES[page]
    assert all((ROOT / picture).is_file() for picture in pictures)


@pytest.mark.parametrize(("name", "field"), FIELDS)
def test_every_field_of_an_operation_is_in_its_table(name: str, field: str) -> None:
    info = OPERATIONS[name].model_fields[field]
    _, values, default, description = row(section_of(name), field)
    assert values
    assert (default == "required") is info.is_required()
    assert description.replace("`", "") == info.description


def test_a_table_of_fields_has_limits_units_choices_and_defaults() -> None:
    assert row(section_of("resize"), "width")[1:3] == ["integer, 1 to 16,384 px", "none"]
    assert row(section_of("blur"), "radius")[1:3] == ["number, above 0, up to 100 px", "required"]
    assert row(section_of("rotate"), "degrees")[1] == "number, -360 to 360°"
    assert row(section_of("autocontrast"), "cutoff")[1:3] == ["number, 0 to below 50 %", "`0`"]
    assert row(section_of("flip"), "axis")[1:3] == ["`horizontal`, `vertical`", "`horizontal`"]
    assert row(section_of("tint"), "colour")[1] == "opaque [colour](../operations.md#colours)"
    assert row(section_of("border"), "colour")[1:3] == [
        "[colour](../operations.md#colours)",
        "`ffffff`",
    ]
    assert row(section_of("round"), "radius")[1] == (
        "number, 0 to 16,384 px, or 0 to 100 with a percent sign, or `circle`"
    )


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_query_and_the_json_of_an_operation_are_the_same_pipeline(name: str) -> None:
    text = section_of(name).replace("LOGO", KEY)
    [query] = re.findall(r"```text\n(.*?)\n```", text, re.S)
    [variant] = re.findall(r"```json\n(.*?)\n```", text, re.S)
    assert Pipeline.model_validate_json(variant) == parse_pipeline(parse_qs(query)["op"])


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_whose_fields_depend_on_each_other_says_how(name: str) -> None:
    validators = OPERATIONS[name].__pydantic_decorators__.model_validators
    _, *rules = (inspect.getdoc(OPERATIONS[name]) or "").split("\n\n")
    assert bool(rules) is bool(validators)
    assert all(rule.strip() and rule in section_of(name) for rule in rules)


@pytest.mark.parametrize("field", Output.model_fields)
def test_every_field_of_an_output_is_in_the_table_and_has_a_section(field: str) -> None:
    assert row(OUTPUTS, field)[1]
    text = re.sub(r"^- ", "", section(OUTPUTS, field).replace("`", ""), flags=re.M)
    assert " ".join(text.split()) == Output.model_fields[field].description


def test_the_table_of_outputs_names_the_formats_of_a_field() -> None:
    assert row(OUTPUTS, "chroma")[3] == "for `jpeg`, `avif`, `heif`"
    assert row(OUTPUTS, "max_bytes")[1:] == [
        "integer, 1 to 1,000,000,000 bytes",
        "none",
        "for all formats",
    ]
    assert row(OUTPUTS, "among")[1] == f"list of {', '.join(f'`{one}`' for one in AUTO_FORMATS)}"


def test_the_examples_of_outputs_are_the_same_in_a_query_and_in_a_job() -> None:
    rows = re.findall(r"^\| `(\S+=\S+)` \| `(\{.*\})` \|$", OUTPUTS, re.M)
    assert len(rows) == len(Output.model_json_schema()["examples"])
    for query, variant in rows:
        fields = {name: text for name, [text] in parse_qs(query).items()}
        assert parse_pipeline([], **fields).output == Output.model_validate_json(variant)


@pytest.mark.parametrize("format", Format)
def test_every_format_is_in_each_table_of_its_page(format: Format) -> None:
    rows = re.findall(rf"^\| `{format}` \|", FORMATS, re.M)
    assert len(rows) == 4
    about = section(FORMATS, "Formats")
    assert all(text in about for text in (format.spec.media_type, *format.spec.suffixes))
    assert ("needs the extra" in row(about, format)[1]) is bool(format.spec.package)


@pytest.mark.timeout(240)  # 6 s of CPU time, of which a busy machine has little
def test_generated_files_do_not_depend_on_the_order_of_hashes() -> None:
    script = (
        "import hashlib; from docs.generate.pages import generated; "
        "print(hashlib.sha256(repr(generated()).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1
