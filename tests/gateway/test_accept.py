"""The format that a client likes best (RFC 9110, section 12.5.1)."""

import httpx
import pytest

from contracts.outputs import AUTO, Format, Output
from services.gateway.accept import negotiated
from tests.gateway.refusals import assert_problem
from tests.imaging.pictures import decoded, encoded, scenery

CHROME = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
SAFARI_14 = "image/webp,image/png,image/svg+xml,image/*;q=0.8,video/*;q=0.8,*/*;q=0.5"
OLD = "image/png,image/svg+xml,image/*;q=0.8,video/*;q=0.8,*/*;q=0.5"
JPEG = encoded(scenery(90, 60), "JPEG")
LEFT_OPEN = Output(format=AUTO)


@pytest.mark.parametrize(
    ("accept", "format"),
    [
        (CHROME, Format.AVIF),
        (SAFARI_14, Format.WEBP),
        (OLD, AUTO),
        ("*/*", AUTO),
        ("", AUTO),
        ("image/*", AUTO),
        ("application/json", AUTO),
        ("image/webp, image/avif", Format.AVIF),
        ("image/avif;q=0.5, image/webp;q=0.9", Format.WEBP),
        ("image/avif;q=0.5, image/jpeg", Format.JPEG),
        ("image/webp;q=0.5, image/*", AUTO),
        ("image/webp;q=0.5, image/*;q=0.4", Format.WEBP),
        ("image/avif;q=0, image/webp;q=0.000", AUTO),
        ("image/*;q=0.1, image/webp;q=0", AUTO),
        ("image/png", Format.PNG),
        ("image/jpeg", Format.JPEG),
        ("image/jpeg, image/png", AUTO),
        ("IMAGE/WEBP;Q=1.0", Format.WEBP),
        ("image/webp ; q=0.7 , text/html", Format.WEBP),
        ('image/webp;a="x,image/avif,";q=0.5', Format.WEBP),
        ("image/webp;q=2, image/avif;q=x, webp, ;;,", AUTO),
    ],
)
def test_a_named_format_wins_by_weight_and_then_by_size(accept: str, format: str) -> None:
    assert negotiated(LEFT_OPEN, [accept]).format == format


def test_several_lines_are_one_list() -> None:
    assert negotiated(LEFT_OPEN, ["text/html", "image/webp"]).format is Format.WEBP
    assert negotiated(LEFT_OPEN, []) == LEFT_OPEN


def test_what_is_decided_is_not_negotiated() -> None:
    for output in (Output(), Output(format=Format.PNG)):
        assert negotiated(output, [CHROME]) == output


def test_without_loss_an_avif_will_not_do() -> None:
    lossless = Output(format=AUTO, lossless=True)

    assert negotiated(lossless, [CHROME]).format is Format.WEBP
    assert negotiated(lossless, ["image/avif, image/jpeg"]).format == AUTO


def test_the_answer_says_that_it_varies_and_is_kept_by_what_it_is(client: httpx.Client) -> None:
    image = client.post("/v1/images", content=JPEG).headers["location"]
    address = f"{image}/render?op=flip&format=auto"
    answers = {
        accept: client.get(address, headers={"Accept": accept})
        for accept in (CHROME, SAFARI_14, OLD, "*/*")
    }
    types = [answer.headers["content-type"] for answer in answers.values()]

    assert types == ["image/avif", "image/webp", "image/jpeg", "image/jpeg"]
    assert all(answer.headers["vary"] == "Accept" for answer in answers.values())
    assert answers["*/*"].headers["cache-status"] == "darkroom; hit"
    same = client.get(f"{image}/render?op=flip&format=webp")
    assert same.headers["cache-status"] == "darkroom; hit"
    assert same.content == answers[SAFARI_14].content
    assert "vary" not in same.headers
    tag = answers[CHROME].headers["etag"]
    unchanged = client.get(address, headers={"Accept": CHROME, "If-None-Match": tag})
    assert (unchanged.status_code, unchanged.headers["vary"]) == (304, "Accept")


def test_a_render_now_varies_as_well(client: httpx.Client) -> None:
    for accept, format in ((CHROME, "AVIF"), ("*/*", "JPEG")):
        answer = client.post(
            "/v1/render", params={"format": "auto"}, content=JPEG, headers={"Accept": accept}
        )
        assert decoded(answer.content).format == format
        assert answer.headers["vary"] == "Accept"


def test_every_field_of_an_output_is_a_parameter(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    parameters = document["paths"]["/v1/render"]["post"]["parameters"]
    names = {parameter["name"] for parameter in parameters}

    assert {"op", "timeout", "transport", *Output.model_fields} <= names
    asked = {"format": "jpeg", "progressive": "true", "chroma": "444", "max_bytes": "3000"}
    answer = client.post("/v1/render", params=asked, content=JPEG)
    assert decoded(answer.content).info["progressive"]
    assert len(answer.content) <= 3000


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"format": "jpeg", "lossless": "true"}, "lossless"),
        ({"format": "webp", "progressive": "true"}, "progressive"),
        ({"palette": "many"}, "palette"),
        ({"format": "jpeg", "max_bytes": "20"}, "max_bytes"),
    ],
)
def test_what_can_not_be_is_refused_by_its_field(
    client: httpx.Client, query: dict[str, str], field: str
) -> None:
    answer = client.post("/v1/render", params=query, content=JPEG)

    assert_problem(answer, 422, "invalid_operation")
    assert field in answer.json()["detail"]
