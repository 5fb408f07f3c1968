"""GET /v1/dead-letters, and running one again."""

import httpx

from tests.gateway.refusals import assert_problem
from tests.imaging.pictures import encoded, scenery


def test_only_a_dead_letter_can_be_requeued(client: httpx.Client) -> None:
    assert client.get("/v1/dead-letters").json() == {"dead_letters": []}
    submitted = client.post(
        "/v1/jobs", content=encoded(scenery(60, 40), "PNG"), headers={"Prefer": "wait=25"}
    )
    job = submitted.json()["id"]
    assert_problem(client.post(f"/v1/dead-letters/{job}/requeue"), 404, "not_found")
