"""Labels of images, and changes of labels and lives."""

import httpx
import pytest

from tests.gateway.refusals import assert_problem
from tests.gateway.routes.job_requests import ended
from tests.imaging.pictures import encoded, scenery


@pytest.fixture
def picture(request: pytest.FixtureRequest, client: httpx.Client) -> bytes:
    """A picture that is not stored."""
    picture = encoded(scenery(17, 18), "PNG")
    client.delete(f"/v1/images/{upload(client, picture)['id']}")
    return picture


def upload(client: httpx.Client, picture: bytes, query: str = "") -> dict[str, str | None]:
    found: dict[str, str | None] = client.post(f"/v1/images{query}", content=picture).json()
    return found


def send_form(client: httpx.Client, picture: bytes, name: str, query: str = "") -> str | None:
    answer = client.post(f"/v1/images{query}", files={"file": (name, picture)})
    label: str | None = answer.json()["label"]
    return label


def test_the_last_label_counts_and_no_label_takes_none_away(
    client: httpx.Client, picture: bytes
) -> None:
    assert upload(client, picture)["label"] is None
    assert upload(client, picture, "?label=kitchen.jpg")["label"] == "kitchen.jpg"
    assert upload(client, picture)["label"] == "kitchen.jpg"
    assert upload(client, picture, "?label=Ku%CC%88che")["label"] == "Küche"


def test_the_name_of_a_forms_file_is_the_label_of_an_image_without_one(
    client: httpx.Client, picture: bytes
) -> None:
    assert send_form(client, picture, '../folder/Küche "1".jpg') == 'Küche "1".jpg'
    assert send_form(client, picture, "other.jpg") == 'Küche "1".jpg'
    assert send_form(client, picture, "other.jpg", "?label=hall.jpg") == "hall.jpg"


@pytest.mark.parametrize("label", ["x" * 201, "a%00b", "a%0Ab", "a%E2%80%AEgpj.exe"])
def test_a_label_that_is_long_or_has_control_characters_is_refused(
    client: httpx.Client, picture: bytes, label: str
) -> None:
    refused = client.post(f"/v1/images?label={label}", content=picture)
    assert "label" in assert_problem(refused, 422, "invalid_request")


def test_a_change_touches_only_what_it_names(client: httpx.Client, picture: bytes) -> None:
    image = f"/v1/images/{upload(client, picture, '?label=a.jpg')['id']}"
    tag = client.get(image).headers["etag"]

    first = client.put(image, json={"ttl": 50}, headers={"If-Match": tag})
    assert (first.status_code, first.json()["label"]) == (200, "a.jpg")
    assert first.json()["expires"] is not None
    second = client.put(image, json={"label": "b.jpg"}).json()
    assert second == first.json() | {"label": "b.jpg"}
    assert client.put(image, json={}).json() == second
    kept = client.put(image, json={"ttl": None, "label": None}).json()
    assert kept == second | {"expires": None, "label": None}
    assert kept in client.get("/v1/images").json()["images"]
    assert client.get(image).content == picture


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"[]", b'{"name": "x"}', b'{"ttl": 0}', b'{"ttl": -1}', b'{"ttl": 1e12}'),
        *(b'{"ttl": "never"}', b'{"label": "a\\nb"}', b'{"label": 1}'),
    ],
)
def test_a_change_that_makes_no_sense_is_refused(
    client: httpx.Client, picture: bytes, body: bytes
) -> None:
    image = f"/v1/images/{upload(client, picture)['id']}"
    answer = client.put(image, content=body, headers={"Content-Type": "application/json"})
    assert_problem(answer, 422, "invalid_request")


def test_a_change_needs_json_a_kept_image_and_a_true_condition(
    client: httpx.Client, picture: bytes
) -> None:
    image = f"/v1/images/{upload(client, picture)['id']}"
    bytes_sent = client.put(image, content=picture, headers={"Content-Type": "image/png"})
    assert_problem(bytes_sent, 415, "unsupported_media_type")
    assert bytes_sent.headers["accept"] == "application/json"
    other = {"If-Match": '"other"'}
    assert_problem(client.put(image, json={}, headers=other), 412, "precondition_failed")
    assert_problem(client.put(f"/v1/images/{'0' * 64}", json={}), 404, "not_found")
    for name in ("x", "A" * 64):
        assert_problem(client.put(f"/v1/images/{name}", json={}), 404, "not_found")

    client.delete(image)
    client.post("/v1/render", content=picture)
    refused = client.put(image, json={"ttl": None})
    assert "upload it" in assert_problem(refused, 409, "conflict")


def test_a_job_has_the_label_of_its_submission_or_of_its_image(
    client: httpx.Client, picture: bytes
) -> None:
    image = upload(client, picture, "?label=kitchen.jpg")["id"]
    request = {"source": {"image": image}, "variants": [{}]}
    accepted = client.post("/v1/jobs", json=request)
    assert accepted.json()["label"] == "kitchen.jpg"
    named = client.post("/v1/jobs", json=request | {"label": "hall.jpg"})
    assert named.json()["label"] == "hall.jpg"
    sent = {"file": ("bath.jpg", picture)}
    assert client.post("/v1/jobs", files=sent).json()["label"] == "bath.jpg"
    assert client.post("/v1/jobs?label=x", files=sent).json()["label"] == "x"
    later = client.post("/v1/render", files=sent, headers={"Prefer": "respond-async"})
    assert later.json()["label"] == "bath.jpg"
    assert client.post("/v1/jobs", content=picture).json()["label"] == "kitchen.jpg"

    job = ended(client, accepted).json()
    assert job["label"] == "kitchen.jpg"
    with client.stream("GET", f"/v1/jobs/{job['id']}/events", timeout=20) as events:
        lines = (line for line in events.iter_lines() if line.startswith("data: "))
        assert '"label":"kitchen.jpg"' in next(lines)
    refused = client.post("/v1/jobs", json=request | {"label": "a\nb"})
    assert "label" in assert_problem(refused, 422, "invalid_request")


def test_a_key_stands_for_a_request_whatever_its_label_is(
    client: httpx.Client, picture: bytes
) -> None:
    key = {"Idempotency-Key": "labels-and-keys"}
    first, again = (
        client.post(f"/v1/jobs?label={name}", content=picture, headers=key).json()
        for name in ("first", "again")
    )
    assert (again["id"], again["label"]) == (first["id"], "first")
