"""Presets: the files that are accepted, and the pipeline of a query with a preset."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from contracts.errors import InvalidOperation
from contracts.imaging import RENDER_VERSION
from contracts.operations.overlays import Text
from contracts.operations.shapes import Resize
from services.gateway.access.presets.table import parse_presets
from services.gateway.routes.variants import PresetVariant
from services.gateway.toml_tables import LineRefused
from tests.gateway.access.signed.sites import PRESETS, RENDER, Site, scope_of


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def expand(
    site: Site, query: str, project: str = "default", path: str = RENDER, method: str = "GET"
) -> str | None:
    expanded = site.table.expand(scope_of(f"{path}?{query}", method=method), project)
    return None if expanded is None else expanded.query.decode()


def test_a_preset_stands_for_its_operations_and_its_output(site: Site) -> None:
    assert expand(site, "preset=card&w=640&h=480") == (
        "op=resize%3Awidth%3D640%2Cheight%3D480%2Cfit%3Dcover&op=sharpen&format=auto"
    )
    assert expand(site, "timeout=5&preset=gray&label=a") == (
        "op=grayscale&format=png&timeout=5&label=a"
    )


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("POST", path) for path in ("/v1/render", "/v1/jobs")),
        *((method, path) for method in ("GET", "HEAD") for path in ("/v1/fetch", RENDER)),
    ],
)
def test_every_address_that_takes_operations_takes_presets(
    site: Site, method: str, path: str
) -> None:
    assert expand(site, "preset=gray", path=path, method=method) == "op=grayscale&format=png"
    assert expand(site, "preset=gray", path=path, method="TRACE") is None


@pytest.mark.parametrize("path", [RENDER.removesuffix("/render"), "/v1/images", "/"])
def test_no_other_address_does(site: Site, path: str) -> None:
    assert expand(site, "preset=gray", path=path) is None


def test_a_comma_and_a_dollar_sign_reach_the_operation(site: Site) -> None:
    pipeline = site.table.pipeline("sale", {"label_text": "Sale, today", "w": "320"}, "shop")

    text, resize = pipeline.operations
    assert isinstance(text, Text)
    assert text.text == "$ Sale, today"
    assert isinstance(resize, Resize)
    assert resize.width == 320
    assert pipeline.output.quality == 70


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("preset=crad&w=640", "'crad' is not a preset; there are: card, gray, window."),
        (
            "preset=sale&w=320&label_text=new",
            "'sale' is not a preset; there are: card, gray, window.",
        ),
        ("preset=card&w=640", "'h' of the preset 'card' is missing; there are: 240, 480."),
        (
            "preset=card&w=641&h=240",
            "'w' of the preset 'card' can't be '641'; there are: 320, 640.",
        ),
        ("preset=card&w=0640&h=240", "can't be '0640'"),
        ("preset=card&w=&h=240", "can't be ''"),
        ("preset=card&w=640&h=240&x=1", "'x' is no variable of the preset 'card'; it has w, h."),
        ("preset=gray&w=640", "'w' is no variable of the preset 'gray'; it has none."),
        ("preset=card&w=640&w=320&h=240", "'w' is given twice"),
        ("preset=card&preset=gray&w=640&h=240", "one preset"),
        ("preset=card&w=640&h=240&op=sepia", "has no 'op'"),
        ("preset=card&w=640&h=240&quality=100", "has no 'quality'"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(site: Site, query: str, reason: str) -> None:
    with pytest.raises(InvalidOperation) as refused:
        expand(site, query)

    assert reason in refused.value.detail


@pytest.mark.parametrize("text", ["", "a" * 201, "a\\,b", "a\nb", "a\u00a0b"])
def test_a_variable_that_is_no_printable_text_is_refused_by_the_rule_for_it(text: str) -> None:
    with pytest.raises(ValidationError, match="of printable characters, without a backslash"):
        PresetVariant.model_validate({"preset": "sale", "label": text})


@pytest.mark.parametrize(
    ("version", "becomes"),
    [
        (f"3.{RENDER_VERSION}", str(RENDER_VERSION)),
        (f"2.{RENDER_VERSION}", "0"),
        (f"3.{RENDER_VERSION + 1}", "0"),
        (str(RENDER_VERSION), "0"),
        ("", "0"),
    ],
)
def test_only_the_versions_of_preset_and_engine_make_an_answer_last(
    site: Site, version: str, becomes: str
) -> None:
    query = expand(site, f"preset=card&w=640&h=240&v={version}")

    assert query is not None
    assert query.endswith(f"&v={becomes}")
    assert expand(site, f"preset=gray&v=1.{RENDER_VERSION}") == "op=grayscale&format=png&v=0"


def test_an_edited_preset_counts_at_the_next_reading_and_a_faulty_file_never(site: Site) -> None:
    before = expand(site, "preset=gray")
    site.presets.write_text(PRESETS.replace('"grayscale"', '"sepia"'))
    site.preset_file.reload()
    assert (before, expand(site, "preset=gray")) == (
        "op=grayscale&format=png",
        "op=sepia&format=png",
    )
    site.presets.write_text(PRESETS.replace('"grayscale"', '"gray"'))
    site.preset_file.reload()

    assert expand(site, "preset=gray") == "op=sepia&format=png"


CARD = """\
[presets.card]
op = [
  "resize:width=$w",
  "sharpen",
]
format = "webp"
vary.w = [320, 640]
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ("width=$w", "widht=$w", 3, "did you mean 'width'?"),
        ("sharpen", "sharpe", 4, "'sharpe' is not an operation"),
        ("sharpen", "$w", 4, "not for a name"),
        ("width=$w", "$w=320", 3, "not for a name"),
        ("width=$w", "width=$x", 3, "$x is not listed in vary"),
        ("width=$w", "width=320", 7, "nothing depends on 'w'"),
        ("640", "64000", 3, "with w=64000"),
        ("640", "6.4", 7, "should be a whole number or a text"),
        ("[320, 640]", "[]", 7, "at least"),
        ("webp", "web", 6, "format"),
        ("format", "fromat", 6, "did you mean 'format'?"),
        ("vary.w", "vary.W", 7, "lower-case letters"),
        ("vary.w", "vary.v", 3, "$w is not listed"),
        ("presets.card", "preset.card", 1, "[presets.NAME]"),
        ("presets.card", 'presets."My card"', 1, "name"),
        ('"webp"', '"webp', 6, ""),
    ],
)
def test_a_fault_of_a_preset_has_its_line(old: str, new: str, line: int, reason: str) -> None:
    assert parse_presets(CARD)["card"].vary == {"w": (320, 640)}
    assert old in CARD

    with pytest.raises(LineRefused) as refused:
        parse_presets(CARD.replace(old, new))

    said = str(refused.value)
    assert said.startswith(f"line {line}: "), said
    assert reason in said


@pytest.mark.parametrize("name", ["v", "op", "timeout", "sig", "src"])
def test_a_parameter_of_routes_is_no_variable(name: str) -> None:
    with pytest.raises(LineRefused, match="parameter of routes"):
        parse_presets(CARD.replace("$w", f"${name}").replace("vary.w", f"vary.{name}"))
