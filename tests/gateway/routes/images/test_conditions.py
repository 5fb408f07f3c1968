"""Entity tags of images, descriptions and renders, and requests with conditions."""

import httpx
import pytest

from tests.gateway.refusals import assert_problem
from tests.imaging.pictures import encoded, scenery


@pytest.mark.parametrize("path", ["", "/info", "/render?op=grayscale", "/render?op=sepia"])
def test_a_false_if_match_is_412_for_a_get_and_a_head(
    client: httpx.Client, image: str, path: str
) -> None:
    # Of one pipeline the condition comes with the first render, of the other with a stored result.
    tag = "" if "sepia" in path else client.get(image + path).headers["etag"]
    for method in ("GET", "HEAD"):
        for value in ('"other"', f"W/{tag}"):
            headers = {"If-Match": value, "If-None-Match": tag, "Range": "bytes=0-3"}
            answer = client.request(method, image + path, headers=headers)
            assert answer.status_code == 412
        assert client.request(method, image + path, headers={"If-Match": "*"}).status_code == 200
    refused = client.get(image + path, headers={"If-Match": '"other"'})
    assert "If-Match" in assert_problem(refused, 412, "precondition_failed")


def test_a_false_if_match_hides_no_other_failure(client: httpx.Client, image: str) -> None:
    for path, status in (
        ("/v1/images/" + "0" * 64, 404),
        (f"{image}/render?op=crop:left=999", 422),
    ):
        assert client.get(path, headers={"If-Match": '"other"'}).status_code == status


def test_a_false_if_match_keeps_an_image_from_being_deleted(client: httpx.Client) -> None:
    picture = encoded(scenery(21, 22), "PNG")
    image = client.post("/v1/images", content=picture).headers["location"]
    tag = client.get(image).headers["etag"]

    refused = client.delete(image, headers={"If-Match": f"W/{tag}"})
    assert_problem(refused, 412, "precondition_failed")
    assert client.get(image).status_code == 200
    assert client.delete(image, headers={"If-Match": tag}).status_code == 204


def test_a_description_has_an_entity_tag_and_an_hour(client: httpx.Client, image: str) -> None:
    whole = client.get(f"{image}/info")
    same = client.get(f"{image}/info", headers={"If-None-Match": whole.headers["etag"]})
    with_place = client.get(f"{image}/info?gps=true")

    assert (same.status_code, same.content) == (304, b"")
    for answer in (whole, same, with_place):
        assert answer.headers["cache-control"] == "max-age=3600"
    assert whole.headers["etag"] == same.headers["etag"]


@pytest.mark.parametrize("path", ["", "/render?op=grayscale"])
def test_if_none_match_is_answered_with_304(client: httpx.Client, image: str, path: str) -> None:
    address = image + path
    whole = client.get(address)
    tag = whole.headers["etag"]

    for listed in (tag, f"W/{tag}", f'"other", {tag}', f'W/"other",W/{tag}', "*"):
        answer = client.get(address, headers={"If-None-Match": listed})
        assert (answer.status_code, answer.content) == (304, b""), listed
        assert answer.headers["etag"] == tag
        assert answer.headers["cache-control"] == whole.headers["cache-control"]
    lines = [("If-None-Match", '"other"'), ("If-None-Match", tag)]
    assert client.get(address, headers=lines).status_code == 304
    for listed in ('"other"', tag.strip('"'), tag[:-2] + '"', "", "W/*"):
        answer = client.get(address, headers={"If-None-Match": listed})
        assert answer.status_code == 200, listed
        assert answer.content == whole.content


def test_if_none_match_any_hides_no_invalid_pipeline(client: httpx.Client, image: str) -> None:
    query = "/render?op=crop:left=100,top=0,width=100,height=10"

    answer = client.get(image + query, headers={"If-None-Match": "*"})

    assert_problem(answer, 422, "invalid_operation")


@pytest.mark.parametrize(
    "other",
    [
        "format=webp&op=resize:height=20,width=30&op=rotate:90&quality=80",
        "op=resize:width=30,height=20,fit=cover,enlarge=false&op=rotate:90.0&format=webp",
        "op=resize:width=30,height=20&timeout=5&op=rotate:degrees=90&format=webp",
        "op=resize%3Awidth%3D30%2Cheight%3D20&op=rotate:%2B90&quality=080&format=webp",
    ],
)
def test_equal_pipelines_have_the_same_entity_tag(
    client: httpx.Client, image: str, other: str
) -> None:
    plain = client.get(f"{image}/render?op=resize:width=30,height=20&op=rotate:90&format=webp")

    answer = client.get(f"{image}/render?{other}")

    assert answer.headers["etag"] == plain.headers["etag"]
    assert answer.headers["cache-status"] == "darkroom; hit"


def test_another_pipeline_has_another_tag(client: httpx.Client, image: str) -> None:
    queries = ("", "op=flip", "op=flip&op=flip", "op=flip&quality=79", "op=flip&format=webp")

    tags = {client.get(f"{image}/render?{query}").headers["etag"] for query in queries}

    assert len(tags) == len(queries)
