"""The page's controls: edits and output options, which come from the contract."""

import io
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image
from playwright.async_api import FilePayload, Page, Route, expect

from contracts import examples
from contracts.formats import Format
from contracts.operations.base import BaseOperation
from contracts.operations.notation import parse_pipeline
from contracts.operations.pipeline import OPERATIONS
from contracts.outputs import Metadata, Output
from tests.browser.interactions import (
    card_of,
    choose,
    downloaded,
    finished,
    photograph,
    size_change,
)

FIELDS_BY_FORMAT = (
    *("quality", "lossless", "progressive", "chroma", "palette"),
    *("animated", "icc", "metadata"),
)

Document = dict[str, Any]

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def change_contract(page: Page, change: Callable[[Document], None]) -> None:
    """Load the page again, with an OpenAPI document that `change` has modified."""

    async def fulfill(route: Route) -> None:
        response = await route.fetch()
        document = await response.json()
        change(document)
        await route.fulfill(response=response, json=document)

    await page.route("**/openapi.json", fulfill)
    await page.reload()


async def submitted_query(page: Page) -> dict[str, list[str]]:
    """Choose a photograph, and return the query that submits its job, without the job's label."""
    async with page.expect_request("**/v1/jobs?*") as waiting:
        await choose(page, [photograph("house.jpg")])
    query = parse_qs(urlsplit((await waiting.value).url).query)
    assert query.pop("label") == ["house.jpg"]
    return query


def output_of(query: dict[str, list[str]]) -> Output:
    """Return the output of a query, parsed as the gateway does."""
    fields = {name: value for name, (value,) in query.items() if name != "op"}
    return parse_pipeline([], **fields).output


def first_example(name: str) -> BaseOperation:
    """Return the first example of an operation, by the operation's name."""
    model = OPERATIONS[name]
    return model.model_validate(model.model_json_schema()["examples"][0])


async def test_presets_and_edits_make_one_pipeline_in_their_order(page: Page) -> None:
    await page.get_by_role("button", name="For the web").click()
    await page.get_by_role("button", name="Turn right").click()
    await page.get_by_role("button", name="Add edit: Sharpen").click()
    await page.get_by_role("spinbutton", name="Amount").fill("2.5")
    await page.get_by_role("spinbutton", name="Width").fill("48")
    await page.get_by_role("button", name="Move Rotate up").click()
    await page.get_by_role("button", name="Remove edit Black and white").click()
    await page.get_by_role("slider", name="Quality").fill("70")
    assert await submitted_query(page) == {
        "op": ["rotate:degrees=90", "resize:width=48,height=1600,fit=inside", "sharpen:amount=2.5"],
        "format": ["webp"],
        "quality": ["70"],
    }
    await finished(card_of(page, "house.jpg"))
    await expect(card_of(page, "house.jpg")).to_contain_text(size_change("96x64", "48x72"))


async def test_an_invalid_edit_is_reported_and_no_photograph_is_submitted(page: Page) -> None:
    await page.get_by_role("button", name="Add edit: Blur").click()
    await page.get_by_role("spinbutton", name="Radius").fill("500")
    await choose(page, [photograph("house.jpg")])
    await expect(page.get_by_text("One of the edits is not valid")).to_be_visible()
    await expect(page.get_by_role("spinbutton", name="Radius")).to_be_focused()
    await expect(card_of(page, "house.jpg")).to_have_count(0)


async def test_a_resize_without_a_side_is_reported_and_no_photograph_is_submitted(
    page: Page,
) -> None:
    await page.get_by_role("button", name="Thumbnail").click()
    await page.get_by_role("spinbutton", name="Width").fill("")
    await page.get_by_role("spinbutton", name="Height").fill("")
    await choose(page, [photograph("house.jpg")])
    await expect(page.get_by_text("One of the edits is not valid")).to_be_visible()
    await expect(page.get_by_role("spinbutton", name="Width")).to_be_focused()
    await expect(card_of(page, "house.jpg")).to_have_count(0)


async def test_every_operation_of_the_contract_can_be_added_with_its_example(page: Page) -> None:
    await page.get_by_role("button", name="Remove edit Black and white").click()
    for model in OPERATIONS.values():
        title = model.model_json_schema()["title"]
        await page.get_by_role("button", name=f"Add edit: {title}", exact=True).click()
    # The page does not take over the id of the example: no image has it.
    await page.locator("[data-field=image]").fill(str(examples.BLOB["key"]))
    query = await submitted_query(page)
    assert parse_pipeline(query["op"]).operations == tuple(map(first_example, OPERATIONS))


async def test_a_watermark_is_uploaded_on_the_page(page: Page) -> None:
    await page.get_by_role("button", name="Remove edit Black and white").click()
    await page.get_by_role("button", name="Add edit: Watermark").click()
    await page.get_by_label("Upload an image").set_input_files([photograph("logo.jpg", "gold")])
    await expect(page.locator("[data-field=image]")).to_have_value(re.compile("[0-9a-f]{64}"))
    await choose(page, [photograph("house.jpg")])
    card = card_of(page, "house.jpg")
    await expect(card).to_contain_text("image logo.jpg")
    await finished(card)


async def test_a_watermark_that_is_not_an_image_is_reported(page: Page) -> None:
    await page.get_by_role("button", name="Add edit: Watermark").click()
    notes = FilePayload(name="notes.jpg", mimeType="image/jpeg", buffer=b"not an image")
    async with page.expect_response("**/v1/images?*") as waiting:
        await page.get_by_label("Upload an image").set_input_files([notes])
    detail = (await (await waiting.value).json())["detail"]
    image = page.locator("[data-field=image]")
    await expect(image).to_be_focused()
    assert await image.evaluate("(input) => input.validationMessage") == detail


async def test_every_field_of_an_operation_has_a_control(page: Page) -> None:
    await page.get_by_role("button", name="Remove edit Black and white").click()
    for name, model in OPERATIONS.items():
        title = model.model_json_schema()["title"]
        await page.get_by_role("button", name=f"Add edit: {title}", exact=True).click()
        controls = page.locator("[data-part=edits] [data-field]")
        shown = await controls.evaluate_all("(all) => all.map(({ dataset }) => dataset.field)")
        assert set(shown) == set(model.model_fields) - {"op"}, name
        await page.get_by_role("button", name=f"Remove edit {title}", exact=True).click()


async def test_a_constant_beside_true_and_false_is_a_choice(page: Page) -> None:
    await page.get_by_role("button", name="Remove edit Black and white").click()
    await page.get_by_role("button", name="Thumbnail").click()
    await page.get_by_text("More settings").first.click()
    enlarge = page.locator("[data-field=enlarge]")
    for chosen, expected in (("Crop", ",enlarge=crop"), ("True", ",enlarge=true"), ("False", "")):
        await enlarge.select_option(label=chosen)
        query = await submitted_query(page)
        assert query["op"] == [f"resize:width=480,height=320{expected}"]


async def test_an_operation_that_is_new_in_the_contract_needs_no_change_of_the_page(
    page: Page,
) -> None:
    solarize = {
        "title": "Solarize",
        "description": "Invert the tones above a threshold.",
        "type": "object",
        "x-family": "experiments",
        "required": ["threshold"],
        "examples": [{"op": "solarize", "threshold": 96, "curve": "0,128"}],
        "properties": {
            "op": {"const": "solarize", "type": "string"},
            "threshold": {"type": "integer", "minimum": 0, "maximum": 255, "title": "Threshold"},
            "curve": {"type": "spline", "title": "Curve"},
            "soft": {"type": "boolean", "title": "Soft", "default": False},
        },
    }

    def add_operation(document: Document) -> None:
        schemas = document["components"]["schemas"]
        schemas["Solarize"] = solarize
        operations = schemas["Pipeline"]["properties"]["operations"]
        operations["items"]["oneOf"].append({"$ref": "#/components/schemas/Solarize"})

    await change_contract(page, add_operation)
    family = page.get_by_role("group", name="Experiments")
    await family.get_by_role("button", name="Add edit: Solarize").click()
    threshold = page.get_by_role("spinbutton", name="Threshold")
    await expect(threshold).to_have_value("96")
    await expect(threshold).to_have_attribute("max", "255")
    await page.get_by_role("textbox", name="Curve").fill("0,64")
    await page.get_by_text("More settings").first.click()
    await page.get_by_role("checkbox", name="Soft").check()
    query = await submitted_query(page)
    assert query["op"] == ["grayscale", "solarize:threshold=96,curve=0\\,64,soft=true"]


async def test_a_format_that_is_new_in_the_contract_needs_no_change_of_the_page(
    page: Page,
) -> None:
    def add_format(document: Document) -> None:
        rows = document["components"]["schemas"]["Format"]["x-formats"]
        rows.append({**rows[0], "name": "qoi", "title": "QOI", "quality": False})

    await change_contract(page, add_format)
    await page.get_by_role("combobox", name="Format").select_option(label="QOI")
    await expect(page.get_by_role("slider", name="Quality")).to_be_hidden()
    query = await submitted_query(page)
    assert query["format"] == ["qoi"]


@pytest.mark.parametrize("format", Format)
async def test_a_format_has_the_options_that_the_contract_gives_it(
    page: Page, format: Format
) -> None:
    output = page.get_by_role("group", name="Output")
    await output.get_by_text("More settings").click()
    await page.get_by_role("combobox", name="Format").select_option(format)
    for field in FIELDS_BY_FORMAT:
        control = output.locator(f"[data-field={field}]")
        await expect(control).to_be_visible(visible=getattr(format.spec, field))


async def test_options_of_the_output_are_part_of_the_query_if_the_format_has_them(
    page: Page,
) -> None:
    output = page.get_by_role("group", name="Output")
    await output.get_by_text("More settings").click()
    await output.get_by_role("combobox", name="Format").select_option("jpeg")
    await output.get_by_role("checkbox", name="Progressive").check()
    await output.get_by_role("slider", name="Quality").fill("60")
    await output.get_by_role("combobox", name="Metadata").select_option("copyright")
    jpeg = await submitted_query(page)
    await output.get_by_role("combobox", name="Format").select_option("png")
    png = await submitted_query(page)
    expected = Output(format=Format.JPEG, progressive=True, quality=60, metadata=Metadata.COPYRIGHT)
    assert output_of(jpeg) == expected
    assert output_of(png) == Output(format=Format.PNG, metadata=Metadata.COPYRIGHT)


async def test_a_result_that_the_browser_cannot_display_can_be_downloaded(page: Page) -> None:
    await page.get_by_role("combobox", name="Format").select_option("tiff")
    await choose(page, [photograph("house.jpg")])
    card = card_of(page, "house.jpg")
    await finished(card)
    await expect(card).to_contain_text("This browser cannot display the result.")
    name, content = await downloaded(page, card.get_by_role("link", name="Download"))
    assert name == "house-grayscale-96x64.tiff"
    assert Image.open(io.BytesIO(content)).format == "TIFF"
