"""Pages of other origins change nothing, and read nothing unless their origin is listed."""

from collections.abc import Iterator, Mapping

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from services.gateway.settings import GatewaySettings
from tests.gateway.refusals import assert_problem
from tests.processes import HTTP, Service, faststream

LISTED, OTHER = "https://app.example", "https://other.example"
JOB = f"/v1/jobs/{'0' * 32}"


@pytest.fixture(scope="module")
def listing(redis_url: str) -> Iterator[Service]:
    """A gateway with a listed origin."""
    with faststream("gateway", redis_url, env={"DARKROOM_ORIGINS": f"{LISTED}, "}) as service:
        yield service


def cancel(service: Service, headers: Mapping[str, str]) -> httpx.Response:
    """Cancel a job that there is not: 404, unless the request is refused for its headers."""
    return HTTP.delete(service.url + JOB, headers=headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": OTHER},
        {"Origin": LISTED},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "https://{host}"},
        {"Origin": "http://{host}.other.example"},
        {"Origin": "http://localhost"},
        {"Origin": OTHER, "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_a_page_of_another_origin_changes_nothing(
    gateway: Service, headers: dict[str, str]
) -> None:
    host = gateway.url.removeprefix("http://")
    headers = {name: value.format(host=host) for name, value in headers.items()}

    assert_problem(cancel(gateway, headers), 403, "origin_not_allowed")
    form = {**headers, "Content-Type": "text/plain"}
    posted = HTTP.post(f"{gateway.url}/v1/jobs", headers=form, content=b"x")
    assert_problem(posted, 403, "origin_not_allowed")
    assert HTTP.options(f"{gateway.url}/v1/jobs", headers=headers).status_code == 403
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws://{host}/v1/live", additional_headers=headers, proxy=None)
    response = refused.value.response
    assert response.status_code == 403
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-correlation-id"].encode() in (response.body or b"")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://{host}"},
        {"Origin": "http://{host}", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://{host}", "X-Forwarded-Proto": "https"},
    ],
    ids=str,
)
def test_own_pages_and_programs_are_served(gateway: Service, headers: dict[str, str]) -> None:
    host = gateway.url.removeprefix("http://")
    headers = {name: value.format(host=host) for name, value in headers.items()}

    assert_problem(cancel(gateway, headers), 404, "not_found")
    with connect(f"ws://{host}/v1/live", additional_headers=headers, proxy=None):
        pass


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80"])
def test_the_usual_port_may_be_left_out(gateway: Service, host: str) -> None:
    answer = cancel(gateway, {"Origin": "http://localhost", "Host": host})

    assert_problem(answer, 404, "not_found")


def test_a_page_of_another_origin_may_show_an_image_but_read_nothing(gateway: Service) -> None:
    headers = {"Origin": OTHER, "Sec-Fetch-Site": "cross-site"}
    shown = HTTP.get(f"{gateway.url}/v1/jobs", headers=headers)

    assert shown.status_code == 200
    assert not [name for name in shown.headers if name.startswith("access-control")]


def test_a_listed_origin_may_do_everything(listing: Service) -> None:
    cancelled = cancel(listing, {"Origin": LISTED, "Sec-Fetch-Site": "cross-site"})
    assert_problem(cancelled, 404, "not_found")
    assert cancelled.headers["access-control-allow-origin"] == LISTED
    assert cancelled.headers["access-control-allow-credentials"] == "true"
    socket = listing.url.replace("http", "ws") + "/v1/live"
    with connect(socket, origin=Origin(LISTED), proxy=None):
        pass


def test_a_browser_asks_first_and_a_listed_origin_is_allowed(listing: Service) -> None:
    asked = {
        "Access-Control-Request-Method": "DELETE",
        "Access-Control-Request-Headers": "authorization,idempotency-key,prefer",
    }
    allowed = HTTP.options(listing.url + JOB, headers={"Origin": LISTED, **asked})
    assert allowed.status_code == 204
    assert allowed.headers["access-control-allow-origin"] == LISTED
    assert allowed.headers["access-control-allow-credentials"] == "true"
    assert allowed.headers["access-control-allow-methods"] == "DELETE, GET, HEAD, POST, PUT"
    assert allowed.headers["access-control-allow-headers"] == "authorization,idempotency-key,prefer"
    assert int(allowed.headers["access-control-max-age"]) == 7200
    assert set(allowed.headers["vary"].lower().split(", ")) == {
        "origin",
        "access-control-request-method",
        "access-control-request-headers",
    }

    refused = HTTP.options(listing.url + JOB, headers={"Origin": OTHER, **asked})
    assert_problem(refused, 403, "origin_not_allowed")
    assert "access-control-allow-origin" not in refused.headers


def test_options_that_ask_for_no_permission_are_no_preflight(listing: Service) -> None:
    answer = HTTP.options(listing.url + JOB, headers={"Origin": LISTED})

    assert_problem(answer, 405, "method_not_allowed")
    assert answer.headers["access-control-allow-origin"] == LISTED


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/v1/jobs", {}, 200),
        ("/openapi.json", {"If-None-Match": "*"}, 304),
        (JOB, {}, 404),
        ("/nowhere", {}, 404),
        ("/v1/jobs?limit=0", {}, 422),
        ("/v1/render?timeout=0.0001", {}, 504),
    ],
    ids=str,
)
def test_a_page_reads_every_answer_with_its_fields(
    listing: Service, path: str, headers: dict[str, str], status: int
) -> None:
    method = "POST" if "render" in path else "GET"
    asked = {"Origin": LISTED, **headers}
    answer = HTTP.request(method, listing.url + path, headers=asked, content=b"x")

    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == LISTED
    assert answer.headers["access-control-allow-credentials"] == "true"
    readable = set(answer.headers["access-control-expose-headers"].split(", "))
    assert {"ETag", "Location", "Retry-After", "X-Correlation-ID", "Server-Timing"} <= readable
    assert "*" not in readable


@pytest.mark.parametrize("origin", [None, OTHER, LISTED])
def test_caches_keep_answers_of_origins_apart(listing: Service, origin: str | None) -> None:
    answer = HTTP.get(f"{listing.url}/v1/jobs", headers={"Origin": origin} if origin else {})

    assert "origin" in answer.headers["vary"].lower()
    assert ("access-control-allow-origin" in answer.headers) is (origin == LISTED)


@pytest.mark.parametrize(
    "text", ["app.example", "https://app.example/", "*", "null", "https://app.example:443"]
)
def test_a_setting_that_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="as browsers do"):
        GatewaySettings.model_validate({"origins": text})
