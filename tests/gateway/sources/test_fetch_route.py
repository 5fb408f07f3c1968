"""GET /v1/fetch, by a gateway with a worker, a folder and a web server."""

import hashlib
import os
import re
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.darkroom.command import run_darkroom
from tests.gateway.documented import assert_documented
from tests.gateway.sources.web import OTHER_PNG, PNG
from tests.imaging.pictures import encoded, scenery
from tests.processes import Service, faststream, wait_until

SECRET = encoded(scenery(80, 50), "PNG")


class _Origin(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        fresh = self.headers.get("if-none-match") == '"one"'
        image = SECRET if "secret" in self.path else PNG
        self.send_response(304 if fresh else 200)
        self.send_header("ETag", '"one"')
        control = "no-store" if "secret" in self.path else "max-age=30, stale-while-revalidate=10"
        self.send_header("Cache-Control", control)
        self.send_header("Content-Length", "0" if fresh else str(len(image)))
        self.end_headers()
        if not fresh:
            self.wfile.write(image)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Origin) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("photos")
    (root / "kitchen.png").write_bytes(PNG)
    return root


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, folder: Path, origin: str) -> Path:
    path = tmp_path_factory.mktemp("settings") / "sources.toml"
    path.write_text(
        f'[sources.site]\nkind = "folder"\nroot = "{folder}"\nfresh = 1\n'
        f'[sources.web]\nkind = "https"\nallow = ["{origin}/*"]\nallow_private = true\n'
    )
    return path


@pytest.fixture(scope="module")
def gateway(imaging: Service, redis_url: str, file: Path) -> Iterator[Service]:
    presets = file.with_name("presets.toml")
    presets.write_text(
        '[presets.all]\nop = ["rotate:180"]\n'
        '[presets.of-web]\nop = ["rotate:180"]\nsources = ["web"]\n'
    )
    env = {"DARKROOM_SOURCES": str(file), "DARKROOM_PRESETS": str(presets)}
    with faststream("gateway", redis_url, env=env) as service:
        yield service


@pytest.fixture(scope="module")
def client(gateway: Service) -> Iterator[httpx.Client]:
    hooks = {"response": [assert_documented]}
    with httpx.Client(base_url=gateway.url, timeout=30, event_hooks=hooks) as client:
        yield client


def fetch(client: httpx.Client, src: str, **fields: str) -> httpx.Response:
    query = {"src": src, "op": "rotate:90", "format": "png"}
    return client.get("/v1/fetch", params=query, headers=fields)


def test_an_image_of_a_source_is_that_of_an_upload(client: httpx.Client, origin: str) -> None:
    image = client.post("/v1/images", content=PNG).json()["id"]
    uploaded = client.get(f"/v1/images/{image}/render", params={"op": "rotate:90", "format": "png"})
    for src in ("site:kitchen.png", f"{origin}/a.png"):
        fetched = fetch(client, src)
        assert fetched.content == uploaded.content
        assert fetched.headers["etag"] == uploaded.headers["etag"]


def test_the_answer_is_fresh_for_as_long_as_its_source_says(
    client: httpx.Client, origin: str
) -> None:
    src = f"{origin}/fresh.png"
    first = fetch(client, src)
    other = client.get("/v1/fetch", params={"src": src, "format": "png"})
    again = fetch(client, src)

    assert first.headers["cache-status"].startswith("darkroom-source; fwd=uri-miss; fwd-status=200")
    assert other.headers["cache-status"].startswith("darkroom-source; hit; ttl=")
    assert other.headers["cache-status"].endswith(", darkroom; fwd=miss")
    assert again.headers["cache-status"] == "darkroom; hit"
    assert 0 <= int(again.headers["age"]) < 10
    assert again.headers["expires"] == first.headers["expires"], "a look at the image moves no end"
    told = r"max-age=2\d, stale-while-revalidate=10, stale-if-error=3600"
    assert re.search(told, first.headers["cache-control"])
    unchanged = fetch(client, src, **{"If-None-Match": first.headers["etag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    head = client.head("/v1/fetch", params={"src": src, "op": "rotate:90", "format": "png"})
    assert (head.status_code, head.content) == (200, b"")
    asked = fetch(client, src, **{"Cache-Control": "no-cache"})
    assert asked.headers["cache-status"] == (
        "darkroom-source; fwd=request; fwd-status=304, darkroom; fwd=request"
    )


def test_what_may_not_be_stored_is_fetched_for_each_request(
    client: httpx.Client, origin: str
) -> None:
    for _ in range(3):
        answer = fetch(client, f"{origin}/secret.png")
        assert answer.headers["cache-control"] == "no-store"
        assert "expires" not in answer.headers
        assert answer.headers["cache-status"].startswith(
            "darkroom-source; fwd=uri-miss; fwd-status=200, darkroom; "
        )


def test_no_answer_with_an_image_that_may_not_be_stored_is_kept(
    client: httpx.Client, origin: str
) -> None:
    fetch(client, f"{origin}/secret.png")
    image = f"/v1/images/{hashlib.sha256(SECRET).hexdigest()}"
    routes = ("/render?op=rotate:90&format=png", "/render?op=rotate:180", "", "/info")
    for route in routes:
        for _ in range(3):
            answer = client.get(image + route)
            assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
            assert "age" not in answer.headers

    client.post("/v1/images", content=SECRET)
    for route in routes:
        assert "max-age" in client.get(image + route).headers["cache-control"]
    assert fetch(client, f"{origin}/secret.png").headers["cache-control"] == "no-store"
    assert "max-age" in client.get(image).headers["cache-control"], "it is an upload as well"


def test_a_changed_file_is_shown_once_it_is_stale(client: httpx.Client, folder: Path) -> None:
    (folder / "hall.png").write_bytes(PNG)
    first = fetch(client, "site:hall.png").headers["etag"]
    fetch(client, "site:hall.png")
    (folder / "hall.png").write_bytes(OTHER_PNG)
    wait_until(lambda: fetch(client, "site:hall.png").headers["etag"] != first)


def test_an_original_that_was_deleted_is_fetched_again(client: httpx.Client, origin: str) -> None:
    fetch(client, f"{origin}/deleted.png")
    image = client.post("/v1/images", content=PNG).json()["id"]
    assert client.delete(f"/v1/images/{image}").status_code == 204

    again = fetch(client, f"{origin}/deleted.png")
    assert again.status_code == 200
    assert "fwd=request; fwd-status=200" in again.headers["cache-status"]


@pytest.mark.parametrize(
    ("src", "status", "code"),
    [
        ("site:nothing.png", 404, "not_found"),
        ("site:../secret.png", 422, "invalid_request"),
        ("elsewhere:a.png", 403, "source_refused"),
        ("https://img.example.com/a.png", 403, "source_refused"),
        ("ftp", 422, "invalid_request"),
    ],
)
def test_what_is_not_there_or_not_allowed_is_refused_by_name(
    client: httpx.Client, src: str, status: int, code: str
) -> None:
    refused = fetch(client, src)
    assert (refused.status_code, refused.json()["code"]) == (status, code)


def test_a_preset_for_one_source_gives_no_answer_of_another(client: httpx.Client) -> None:
    """Both presets have the same operations: an answer in memory is not that of the other one."""

    def is_in_memory() -> bool:
        given = client.get("/v1/fetch?preset=all&src=site:kitchen.png")
        return bool(given.headers["cache-status"] == "darkroom; hit")

    wait_until(is_in_memory)
    refused = client.get("/v1/fetch?preset=of-web&src=site:kitchen.png")
    assert (refused.status_code, refused.json()["code"]) == (403, "source_refused")


def test_a_hang_up_reads_the_file_again(
    client: httpx.Client, gateway: Service, file: Path, folder: Path
) -> None:
    before = file.read_text()
    file.write_text(before + f'[sources.new]\nkind = "folder"\nroot = "{folder}"\n')
    os.kill(gateway.process.pid, signal.SIGHUP)
    wait_until(lambda: fetch(client, "new:kitchen.png").status_code == 200, seconds=10)
    file.write_text("nonsense")
    os.kill(gateway.process.pid, signal.SIGHUP)
    wait_until(lambda: "configuration file not read again" in gateway.output(), seconds=10)
    assert fetch(client, "new:kitchen.png").status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        *("", "&op=rotate:90", "&op=resize:width=20&op=flip&format=webp&timeout=5&v=1"),
        *("&op=melt", "&no=parameter", "&timeout=0", "&src=site:hall.png", "&src=", "&format=auto"),
    ],
)
def test_the_direct_route_answers_as_that_of_fastapi(client: httpx.Client, query: str) -> None:
    """FastAPI answers a query in which the name of `src` is encoded."""
    for src in ("site:kitchen.png", "site%3Akitchen.png", "site:none.png", "site:a%2F..%2Fb", "%"):
        direct = client.get(f"/v1/fetch?src={src}{query}")
        other = client.get(f"/v1/fetch?%73rc={src}{query}")
        assert direct.status_code == other.status_code
        if direct.status_code == 200:
            assert direct.content == other.content
            assert direct.headers["etag"] == other.headers["etag"]
            assert direct.headers.get("vary") == other.headers.get("vary")
        else:
            assert direct.json()["detail"] == other.json()["detail"]


def test_a_job_takes_an_image_of_a_source(client: httpx.Client, origin: str) -> None:
    turned = {"operations": [{"op": "rotate", "degrees": 90}], "output": {"format": "png"}}
    new = {"source": {"url": f"{origin}/rooms/hall%201.png?w=1"}, "variants": [turned]}
    headers = {"Prefer": "wait=20", "Idempotency-Key": "fetched"}
    ended = client.post("/v1/jobs", json=new, headers=headers)
    assert ended.status_code == 303, ended.text
    assert ended.json()["label"] == "hall 1.png"
    result = client.get(ended.headers["location"])
    assert result.content == fetch(client, f"{origin}/rooms/hall%201.png?w=1").content

    again = client.post("/v1/jobs", json=new, headers=headers)
    assert again.json()["id"] == ended.json()["id"]


def test_the_command_fetches_into_a_file(
    client: httpx.Client, gateway: Service, tmp_path: Path
) -> None:
    target = tmp_path / "kitchen.png"
    arguments = ("--op", "rotate:90", "--format", "png", "--out", target)
    run_darkroom(gateway.url, "fetch", "site:kitchen.png", *arguments)
    assert target.read_bytes() == fetch(client, "site:kitchen.png").content
    failed = run_darkroom(gateway.url, "fetch", "site:nothing.png", *arguments, code=1)
    assert "The source has no image at this path." in failed.stderr


@pytest.mark.parametrize(
    ("source", "status", "detail"),
    [
        ({"url": "site:nothing.png"}, 404, "The source has no image at this path."),
        ({"url": "elsewhere:a.png"}, 403, "There is no source 'elsewhere'."),
        ({}, 422, "source: name the image either by `image` or by `url`."),
        ({"url": "site:a", "image": "a" * 64}, 422, "source: name the image either by"),
    ],
)
def test_a_job_without_an_image_is_refused(
    client: httpx.Client, source: dict[str, str], status: int, detail: str
) -> None:
    refused = client.post("/v1/jobs", json={"source": source, "variants": [{"operations": []}]})
    assert refused.status_code == status
    assert refused.json()["detail"].startswith(detail)
