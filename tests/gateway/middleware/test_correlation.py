"""The correlation id: the client's own if it is valid, in every answer and log line."""

import json
import re

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.imaging.pictures import encoded, scenery
from tests.processes import Service, wait_until

PNG = encoded(scenery(40, 30), "PNG")
PATHS = ["/v1/images/unknown", "/nowhere", "/v1/system", "/", "/web/app.js", "/docs"]
PATHS += ["/openapi.json", "/asyncapi", "/asyncapi.yaml", "/health/live", "/health/ready"]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_has_the_id_of_its_request(client: httpx.Client, path: str) -> None:
    answer = client.get(path, headers={"X-Correlation-ID": "My_own.id-1"})

    assert answer.headers.get_list("x-correlation-id") == ["My_own.id-1"]


def test_an_image_has_the_id_too(client: httpx.Client) -> None:
    answer = client.post("/v1/render", content=PNG, headers={"X-Correlation-ID": "a" * 128})

    assert answer.status_code == 200
    assert answer.headers["x-correlation-id"] == "a" * 128


@pytest.mark.parametrize(
    "given",
    [b"", b"a" * 129, b"a b", b"a\tb", b"<script>", b'{"a":1}', b"\xff\xfe", "ä".encode(), b"a;b"],
)
def test_an_invalid_id_is_replaced(client: httpx.Client, given: bytes) -> None:
    headers = [(b"X-Correlation-ID", given)]

    one, other = (client.get("/v1/system", headers=headers) for _ in range(2))

    ids = [one.headers["x-correlation-id"], other.headers["x-correlation-id"]]
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in ids)
    assert ids[0] != ids[1]


def test_a_render_answers_with_the_id(client: httpx.Client, imaging: Service) -> None:
    query = {"timeout": "0.01", "op": "blur:50", "transport": "list"}
    headers = {"X-Correlation-ID": "a-render"}

    answer = client.post("/v1/render", params=query, content=PNG, headers=headers)

    assert answer.headers["x-correlation-id"] == "a-render"
    assert answer.status_code in (200, 504)


def test_the_log_line_of_an_error_has_the_id(client: httpx.Client, gateway: Service) -> None:
    client.get("/v1/images/unknown", headers={"X-Correlation-ID": "in-the-log"})

    wait_until(lambda: '"in-the-log"' in gateway.output())

    [line] = [line for line in gateway.output().splitlines() if '"in-the-log"' in line]
    assert json.loads(line)["event"] == "refused"


async def test_the_handshake_of_a_websocket_has_the_id(gateway_url: str) -> None:
    url = gateway_url.replace("http", "ws", 1) + "/v1/live"

    async with connect(url, additional_headers={"X-Correlation-ID": "a-websocket"}) as socket:
        assert socket.response is not None
        assert socket.response.headers["X-Correlation-ID"] == "a-websocket"
