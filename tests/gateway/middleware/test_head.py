"""HEAD is GET without the body (RFC 9110, section 9.3.2)."""

import httpx
import pytest

from tests.imaging.pictures import encoded, scenery

# Headers that differ from one answer to the next, whatever the method.
TRANSIENT = {"date", "x-correlation-id", "server-timing", "x-worker", "cache-status", "age"}


@pytest.mark.parametrize(
    "path",
    [
        "/v1/images/{id}",
        "/v1/images/{id}/info",
        "/v1/images/{id}/render?op=flip",
        "/v1/images/unknown",
        "/v1/images/{id}/render?op=melt",
        "/v1/jobs/unknown",
        "/v1/system",
        "/",
        "/web/style.css",
        "/docs",
        "/openapi.json",
        "/asyncapi",
        "/asyncapi.yaml",
        "/health/live",
        "/health/ready",
        "/nowhere",
    ],
)
def test_head_has_the_headers_of_get_and_no_body(client: httpx.Client, path: str) -> None:
    image = client.post("/v1/images", content=encoded(scenery(50, 40), "PNG")).json()["id"]
    address = path.format(id=image)

    get, head = client.get(address), client.head(address)

    assert get.content
    assert head.content == b""
    assert head.status_code == get.status_code
    assert stable_headers(head) == stable_headers(get)


def stable_headers(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in TRANSIENT}
