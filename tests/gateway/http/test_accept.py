"""The format that a client prefers (RFC 9110, section 12.5.1)."""

import httpx
import pytest

from contracts.formats import AUTO_FORMATS, Format
from contracts.outputs import AUTO, Output
from services.gateway.http.accept import _formats_of, formats_of, negotiate_format
from tests.gateway.refusals import assert_problem
from tests.imaging.pictures import decoded, encoded, scenery

CHROME = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
SAFARI_14 = "image/webp,image/png,image/svg+xml,image/*;q=0.8,video/*;q=0.8,*/*;q=0.5"
OLD = "image/png,image/svg+xml,image/*;q=0.8,video/*;q=0.8,*/*;q=0.5"
JPEG = encoded(scenery(90, 60), "JPEG")
ANY_FORMAT = Output(format=AUTO)


AVIF, WEBP, JPEG_, PNG = AUTO_FORMATS


@pytest.mark.parametrize(
    ("accept", "among"),
    [
        (CHROME, AUTO_FORMATS),
        (SAFARI_14, (WEBP, PNG)),
        (OLD, (PNG,)),
        ("image/avif,image/webp,*/*;q=0.8", (AVIF, WEBP)),
        ("*/*", (JPEG_, PNG)),
        ("", ()),
        ("image/*", (JPEG_, PNG)),
        ("application/json", ()),
        ("image/webp, image/avif", (AVIF, WEBP)),
        ("image/avif;q=0.5, image/webp;q=0.9", (WEBP,)),
        ("image/avif;q=0.5, image/jpeg", (JPEG_,)),
        ("image/webp;q=0.5, image/*", (JPEG_, PNG)),
        ("image/webp;q=0.5, image/*;q=0.4", (WEBP,)),
        ("image/avif;q=0, image/webp;q=0.000", ()),
        ("image/*;q=0.1, image/webp;q=0", (JPEG_, PNG)),
        ("image/png", (PNG,)),
        ("IMAGE/WEBP;Q=1.0", (WEBP,)),
        ("image/webp ; q=0.7 , text/html", (WEBP,)),
        ('image/webp;a="x,image/avif,";q=0.5', (WEBP,)),
        ("image/webp;q=2, image/avif;q=x, webp, ;;,", ()),
    ],
)
def test_the_formats_of_the_highest_weight_are_chosen(
    accept: str, among: tuple[Format, ...]
) -> None:
    assert negotiate_format(ANY_FORMAT, [accept]) == Output(format=AUTO, among=among)


def test_several_header_lines_are_one_list() -> None:
    assert negotiate_format(ANY_FORMAT, ["text/html", "image/webp"]).among == (WEBP,)
    assert negotiate_format(ANY_FORMAT, []) == ANY_FORMAT


def test_a_long_header_is_negotiated_alike_and_not_remembered() -> None:
    _formats_of.cache_clear()
    long = (CHROME.encode(), b"a" * 1001)
    assert formats_of(long) == formats_of((CHROME.encode(),))
    assert _formats_of.cache_info().currsize == 1


def test_a_format_that_is_named_is_not_negotiated() -> None:
    for output in (Output(), Output(format=Format.PNG)):
        assert negotiate_format(output, [CHROME]) == output


def test_a_lossless_output_excludes_avif_and_jpeg() -> None:
    lossless = Output(format=AUTO, lossless=True)

    assert negotiate_format(lossless, [CHROME]).among == (WEBP, PNG)
    assert negotiate_format(lossless, ["image/avif, image/jpeg"]).among == ()


def test_a_negotiated_result_varies_and_is_cached_by_its_format(client: httpx.Client) -> None:
    image = client.post("/v1/images", content=JPEG).headers["location"]
    address = f"{image}/render?op=flip&format=auto"
    answers = {
        accept: client.get(address, headers={"Accept": accept})
        for accept in (CHROME, SAFARI_14, OLD, "*/*", "image/*")
    }
    types = [answer.headers["content-type"] for answer in answers.values()]

    assert types == ["image/webp", "image/webp", "image/png", "image/jpeg", "image/jpeg"]
    assert all(answer.headers["vary"] == "Accept" for answer in answers.values())
    assert answers["image/*"].headers["cache-status"] == "darkroom; hit"
    same = client.get(f"{image}/render?op=flip&format=webp")
    assert same.content == answers[SAFARI_14].content == answers[CHROME].content
    assert "vary" not in same.headers
    tag = answers[CHROME].headers["etag"]
    unchanged = client.get(address, headers={"Accept": CHROME, "If-None-Match": tag})
    assert (unchanged.status_code, unchanged.headers["vary"]) == (304, "Accept")


def test_a_post_negotiates_and_varies_too(client: httpx.Client) -> None:
    for accept, format in ((CHROME, "WEBP"), ("image/avif", "AVIF"), ("*/*", "JPEG")):
        answer = client.post(
            "/v1/render", params={"format": "auto"}, content=JPEG, headers={"Accept": accept}
        )
        assert decoded(answer.content).format == format
        assert answer.headers["vary"] == "Accept"


def test_every_field_of_an_output_is_a_query_parameter(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    parameters = document["paths"]["/v1/render"]["post"]["parameters"]
    names = {parameter["name"] for parameter in parameters}

    assert {"op", "timeout", "transport", *Output.model_fields} - {"among"} <= names
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
def test_an_invalid_output_is_refused_by_its_field(
    client: httpx.Client, query: dict[str, str], field: str
) -> None:
    answer = client.post("/v1/render", params=query, content=JPEG)

    assert_problem(answer, 422, "invalid_operation")
    assert field in answer.json()["detail"]
