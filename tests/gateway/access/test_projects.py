"""Two projects on two gateways: each has its own, and finds nothing of the other's."""

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from contracts.access.keys import KeyScope
from contracts.errors import Internal
from contracts.imaging import result_key
from contracts.jobs import JobState
from contracts.operations.overlays import Watermark
from contracts.operations.pipeline import Pipeline
from services.gateway.access.rules import RULES, WEBSOCKET
from services.gateway.http.responses import etag_of
from services.runtime.jobs.store import Jobs
from services.runtime.redis.client import make_redis
from services.runtime.settings import RuntimeSettings
from tests.gateway.access.gateways import ADMIN_KEY, bearer, gateway
from tests.imaging.pictures import encoded, scenery
from tests.processes import HTTP, Service, wait_until

PICTURE, LOGO = encoded(scenery(60, 40), "PNG"), encoded(scenery(9, 8), "PNG")
FLIP = {"operations": [{"op": "flip"}]}
MISSING = {"image_id": "e" * 64, "job_id": "e" * 32, "letter_id": "9" * 13 + "-0"}


@dataclass(frozen=True)
class Site:
    """A client of each project, and the websites' key."""

    website: httpx.Client
    agency: httpx.Client
    """A client of the other gateway."""
    neighbour: httpx.Client
    """The agency's client of the website's gateway."""
    key: str


def make_key(url: str, project: str) -> str:
    new = {"name": "test", "project": project, "scopes": list(KeyScope)}
    made = HTTP.post(f"{url}/v1/keys", json=new, headers=bearer(ADMIN_KEY))
    return str(made.raise_for_status().json()["key"])


@pytest.fixture(scope="module")
def site(imaging: Service, redis_url: str) -> Iterator[Site]:
    with gateway(redis_url) as first, gateway(redis_url) as second:
        keys = {name: make_key(first, name) for name in ("website", "agency")}

        def client(url: str, project: str) -> httpx.Client:
            headers = bearer(keys[project])
            return httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False)

        with (
            client(first, "website") as website,
            client(second, "agency") as agency,
            client(first, "agency") as neighbour,
        ):
            wait_until(lambda: agency.get("/v1/images").status_code == 200)
            yield Site(website, agency, neighbour, keys["website"])


def upload(client: httpx.Client, data: bytes = PICTURE) -> str:
    return str(client.post("/v1/images", content=data).raise_for_status().json()["id"])


def submit(client: httpx.Client, image: str, **more: Any) -> httpx.Response:
    new = {"source": {"image": image}, "variants": [FLIP], **more}
    return client.post("/v1/jobs", json=new, headers={"Prefer": "wait=20"})


def ended_job(client: httpx.Client) -> str:
    answer = submit(client, upload(client))
    assert answer.status_code == 303, answer.text
    return str(answer.json()["id"])


async def make_letter(redis_url: str, job: str) -> str:
    """Make a dead letter of a job, as if its record could not be read; return its id."""
    redis = make_redis(RuntimeSettings(redis_url=redis_url))
    jobs = Jobs(redis, RuntimeSettings())
    await jobs.dead_letters.quarantine(job, Internal("It is damaged.").failure())
    (letter,) = [each async for each in jobs.dead_letters.latest("website", 1)]
    await redis.close()
    assert letter.id is not None
    return letter.id


def shown(answer: httpx.Response, *ids: str) -> tuple[int, dict[str, str], str]:
    """Return what a client sees of an answer, without the ids of the request."""
    own = answer.headers["x-correlation-id"]
    text = answer.text.replace(own, "")
    for name in ids:
        text = text.replace(name, "ID")
    left_out = ("x-correlation-id", "date", "content-length")
    return answer.status_code, {k: v for k, v in answer.headers.items() if k not in left_out}, text


def routes_of_one() -> Iterator[tuple[str, str]]:
    """Yield the method and the path of each route with the id of an image, a job or a letter."""
    for path, methods in RULES.items():
        if set(re.findall(r"{(\w+)}", path)) & MISSING.keys():
            for method in methods:
                yield method, path
                if method == "GET":
                    yield "HEAD", path


async def test_each_route_answers_as_if_the_other_project_had_nothing(
    site: Site, redis_url: str
) -> None:
    image, job = upload(site.website), ended_job(site.website)
    made = site.website.get(f"/v1/images/{image}/render?op=flip").content
    letter = await make_letter(redis_url, job)
    theirs = {"image_id": image, "job_id": job, "letter_id": letter}
    routes = list(routes_of_one())
    assert len(routes) > 15
    for method, path in routes:
        json_body = {"label": "stolen"} if method == "PUT" else None
        for query in ("", "?op=flip") if path.endswith("/render") else ("",):
            for client in (site.agency, site.neighbour):
                answers = [
                    shown(
                        client.request(method, path.format(**ids, index=0) + query, json=json_body),
                        *ids.values(),
                    )
                    for ids in (theirs, MISSING)
                ]
                assert answers[0] == answers[1], (method, path)
                assert answers[0][0] == (204 if path.endswith("/renditions") else 404)

    listed = site.website.get("/v1/images").json()["images"]
    assert [one["label"] for one in listed if one["id"] == image] == [None]
    assert site.website.get(f"/v1/images/{image}").content == PICTURE
    again = site.website.get(f"/v1/images/{image}/render?op=flip")
    assert again.headers["cache-status"] == "darkroom; hit"
    assert again.content == made
    assert site.website.get(f"/v1/jobs/{job}/results/0").content == made
    letters = site.website.get("/v1/dead-letters").json()["dead_letters"]
    assert [one["id"] for one in letters] == [letter]
    assert site.website.delete(f"/v1/dead-letters/{letter}").status_code == 204


def test_equal_bytes_are_an_image_of_each_project(site: Site) -> None:
    data = encoded(scenery(33, 20), "PNG")
    answers = [client.post("/v1/images", content=data) for client in (site.website, site.agency)]
    assert [answer.status_code for answer in answers] == [201, 201]
    first, second = [answer.json()["id"] for answer in answers]
    assert first != second
    assert site.agency.post("/v1/images", content=data).json()["id"] == second

    def listed(client: httpx.Client) -> set[str]:
        return {one["id"] for one in client.get("/v1/images?limit=1000").json()["images"]}

    assert first in listed(site.website) - listed(site.agency)
    assert second in listed(site.agency) - listed(site.website)
    assert site.website.delete(f"/v1/images/{first}").status_code == 204
    assert site.agency.get(f"/v1/images/{second}").content == data
    assert site.website.get(f"/v1/images/{first}").status_code == 404


@pytest.mark.parametrize("status", [404, 304])
def test_a_watermark_of_another_project_is_missing(site: Site, status: int) -> None:
    own, theirs = upload(site.agency), upload(site.website, LOGO)
    stamp = f"/v1/images/{own}/render?op=watermark:image="
    answers = []
    for logo in (theirs, MISSING["image_id"]):
        pipeline = Pipeline(operations=(Watermark(image=logo),))
        tag = etag_of(result_key(own, pipeline.model_dump_json()))
        # A client that says it has the result is believed, and told how long the images live.
        headers = {"If-None-Match": tag} if status == 304 else {}
        answers.append(shown(site.agency.get(stamp + logo, headers=headers), logo, tag))
    for _, fields, _ in answers:
        fields.pop("etag", "")
    assert answers[0] == answers[1]
    assert answers[0][0] == status
    assert site.agency.get(stamp + upload(site.agency, LOGO)).status_code == 200


def test_a_job_with_an_image_of_another_project_is_refused(site: Site) -> None:
    own, theirs = upload(site.agency), upload(site.website, LOGO)
    for ids in ((theirs, own), (own, theirs)):
        stamp = {"operations": [{"op": "watermark", "image": ids[1]}]}
        refused = submit(site.agency, ids[0], variants=[stamp])
        assert refused.status_code == 404
        assert theirs in refused.json()["detail"]


def test_what_a_gateway_has_in_memory_is_given_to_its_project_alone(site: Site) -> None:
    image = upload(site.website, encoded(scenery(50, 41), "PNG"))
    address = f"/v1/images/{image}/render?op=flip"
    for _ in range(3):
        assert site.website.get(address).status_code == 200
    assert "age" in site.website.get(address).headers, "it comes from the memory"
    assert site.neighbour.get(address).status_code == 404
    # Nor does another project have it forgotten.
    for path in ("", "/renditions"):
        site.neighbour.delete(f"/v1/images/{image}{path}")
    site.neighbour.put(f"/v1/images/{image}", json={"label": "stolen"})
    assert "age" in site.website.get(address).headers


def test_lists_show_what_a_project_has(site: Site) -> None:
    held = "/v1/jobs?limit=1000"
    jobs = {
        name: client.post(
            "/v1/jobs",
            json={"source": {"image": upload(client)}, "variants": [FLIP] * 64, "label": name},
        ).json()["id"]
        for name, client in (("website", site.website), ("agency", site.agency))
    }
    for client, own in ((site.website, "website"), (site.agency, "agency")):
        labels = {job["label"] for job in client.get(held).json()["jobs"]}
        assert labels <= {own}
        assert client.get(f"/v1/jobs/{jobs[own]}").status_code in (200, 202, 302)
        assert client.get("/v1/dead-letters").json() == {"dead_letters": []}
        assert client.get("/v1/system").json()["store"]["places"].keys() <= {own}


def test_a_key_takes_turns_and_names_jobs(site: Site) -> None:
    image, key_id = upload(site.website), site.key.split("_")[1]
    assert submit(site.website, image).json()["submitter"] == f"website.{key_id}"
    new = {"source": {"image": image}, "variants": [FLIP]}
    named = site.website.post("/v1/jobs", json=new, headers={"X-Submitter": "kitchen"})
    assert named.json()["submitter"] == "kitchen"


def test_an_idempotency_key_is_one_of_the_project(site: Site) -> None:
    def job(client: httpx.Client, submitter: str) -> str:
        headers = {"Idempotency-Key": "once", "X-Submitter": submitter}
        new = {"source": {"image": upload(client)}, "variants": [FLIP]}
        answer = client.post("/v1/jobs", json=new, headers=headers)
        return str(answer.raise_for_status().json()["id"])

    first = job(site.website, "a")
    assert job(site.website, "b") == first, "the name of a job is no part of it"
    assert job(site.agency, "a") != first


async def test_a_websocket_tells_nothing_of_another_projects_job(site: Site) -> None:
    job = ended_job(site.website)

    async def events(client: httpx.Client) -> list[dict[str, Any]]:
        url = str(client.base_url).replace("http", "ws", 1)
        headers = {"Authorization": client.headers["authorization"]}
        async with connect(f"{url}/v1/live", additional_headers=headers) as socket:
            await socket.send(json.dumps({"watch": [job, MISSING["job_id"]]}))
            received = [json.loads(await asyncio.wait_for(socket.recv(), 10)) for _ in range(2)]
        received.sort(key=lambda event: str(event["job"] != job))
        return [{**event, "job": "", "at": ""} for event in received]

    own, unknown = await events(site.website)
    assert own["state"] == JobState.SUCCEEDED
    for client in (site.agency, site.neighbour):
        assert await events(client) == [unknown, unknown]


def test_a_websocket_is_no_other_route_with_ids() -> None:
    """The test of all routes leaves WebSockets out: there is one, and its ids come in messages."""
    assert [path for path, methods in RULES.items() if WEBSOCKET in methods] == ["/v1/live"]
