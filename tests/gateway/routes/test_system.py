"""The page, the AsyncAPI document, and the state of the suite: workers, queues, metrics."""

import re
from typing import Any

import httpx
import pytest
import yaml

from services.runtime.introspection.asyncapi import suite_document
from tests.e2e.pictures import photograph
from tests.gateway.refusals import assert_problem
from tests.processes import HTTP, wait_until

OTHER_HOST = re.compile(r"""(?:src|href|url)\s*[=(:]\s*["']?\s*(?:https?:)?//[^"')\s]+""", re.I)
URLS = re.compile(r"""(?:src|href|url)\s*[=:]\s*["']([^"'#:]+)["']""")


def test_the_system_shows_workers_and_queues(gateway_url: str) -> None:
    def found() -> Any:
        return HTTP.get(f"{gateway_url}/v1/system").json()

    # The entry of a request is deleted shortly after its answer.
    empty = {"waiting": 0, "age": 0.0}
    wait_until(lambda: found()["queues"]["imaging.render:stream"] == empty)
    system = found()
    (worker,) = system["workers"].values()
    assert {"host", "pid", "slots", "busy", "started", "pillow", "faststream"} <= set(worker)
    assert worker["slots"] >= 1
    assert "imaging.jobs" in system["queues"]
    assert (system["store"]["kind"], system["store"]["health"]) == ("redis", "ok")
    memory = system["redis_memory"]
    assert (memory["bytes"] > 100_000, memory["limit"], memory["used"]) == (True, None, 0)


def test_metrics_count_the_calls(gateway_url: str) -> None:
    HTTP.post(f"{gateway_url}/v1/render?op=grayscale&transport=list", content=photograph())
    answer = HTTP.get(f"{gateway_url}/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    counted = 'outcome="ok",side="client",transport="list"'
    assert f'darkroom_call_seconds_count{{method="imaging.render",{counted}}}' in answer.text
    assert 'darkroom_queue_age_seconds{address="imaging.jobs"}' in answer.text
    bytes_of_redis = re.search(r"^darkroom_redis_memory_bytes (\S+)$", answer.text, re.MULTILINE)
    assert bytes_of_redis is not None
    assert float(bytes_of_redis[1]) > 100_000


def test_the_system_shows_the_backlog_of_jobs(no_workers: httpx.Client) -> None:
    no_workers.post("/v1/jobs", content=photograph())
    jobs = no_workers.get("/v1/system").json()["jobs"]
    assert jobs["queued"] >= 1
    assert jobs["age"] > 0
    metrics = no_workers.get("/metrics").text
    assert 'darkroom_jobs{state="queued"}' in metrics


@pytest.mark.parametrize("path", ["/", "/docs", "/asyncapi"])
def test_a_page_loads_nothing_from_other_hosts(client: httpx.Client, path: str) -> None:
    page = client.get(path)

    assert page.headers["content-type"].startswith("text/html")
    assert OTHER_HOST.findall(page.text) == []
    parts = set(URLS.findall(page.text))
    assert parts
    assert not [part for part in parts if part.startswith("/")], "the prefix of a proxy is lost"
    for part in parts:
        assert client.get(part).status_code == 200, part


def test_the_asyncapi_document_is_that_of_the_suite(client: httpx.Client) -> None:
    answer = client.get("/asyncapi.yaml")

    assert answer.headers["content-type"] == "application/yaml"
    assert yaml.safe_load(answer.text) == suite_document()


def test_the_page_forbids_resources_from_other_hosts(client: httpx.Client) -> None:
    policy = client.get("/").headers["content-security-policy"]

    assert "default-src 'self'" in policy
    assert "http" not in policy


@pytest.mark.parametrize(
    ("path", "directive"),
    [
        *((path, "no-cache") for path in ("/", "/web/app.js", "/openapi.json")),
        ("/static-offline-docs/swagger-ui.css", "no-cache"),
        *((path, "no-store") for path in ("/v1/system", "/docs", "/metrics")),
        *((path, "no-store") for path in ("/health/live", "/nothing", "/web/nothing")),
        ("/asyncapi.yaml", "max-age=300"),
    ],
)
def test_every_answer_tells_caches_what_to_do(
    client: httpx.Client, path: str, directive: str
) -> None:
    for method in ("GET", "HEAD"):
        assert client.request(method, path).headers["cache-control"] == directive


def test_the_page_is_sent_once(client: httpx.Client) -> None:
    page = client.get("/")
    again = client.get("/", headers={"If-None-Match": page.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == "no-cache"
    assert client.get("/", headers={"If-Match": '"other"'}).status_code == 412


def test_a_false_condition_about_a_file_is_412(client: httpx.Client) -> None:
    file = client.get("/web/app.js").headers
    for condition in (
        {"If-Match": '"other"'},
        {"If-Unmodified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"If-Match": '"other"', "If-None-Match": file["etag"]},
    ):
        answer = client.get("/web/app.js", headers=condition)
        assert_problem(answer, 412, "precondition_failed")
    for condition in (
        {"If-None-Match": f"W/{file['etag']}"},
        {"If-Modified-Since": file["last-modified"]},
    ):
        assert client.get("/web/app.js", headers=condition).status_code == 304
    met = {"If-Unmodified-Since": file["last-modified"], "If-Match": file["etag"]}
    assert client.get("/web/app.js", headers=met).status_code == 200
