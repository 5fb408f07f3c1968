"""deploy/nginx.conf: nginx runs it in front of a gateway, with other ports and folders."""

import getpass
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import trustme
from websockets.sync.client import connect

from services.gateway.settings import GatewaySettings
from tests.e2e.pictures import photograph
from tests.processes import ROOT, Service, free_port, wait_until

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(NGINX is None, reason="needs nginx: apt-get install nginx-light"),
]

SITE = (ROOT / "deploy/nginx.conf").read_text()
LOGIN = ("team", "secret")
MIN_CONFIGURATION = """
daemon off;
pid {folder}/nginx.pid;
error_log stderr warn;
user {user};
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/darkroom.conf;
}}
"""


@dataclass(frozen=True)
class Proxy:
    """A running nginx: its port, a client that trusts its certificate, and its configuration."""

    port: int
    trust: ssl.SSLContext
    http: httpx.Client
    configuration: Path

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"


@pytest.fixture(scope="module")
def proxy(gateway: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """nginx with deploy/nginx.conf in front of the gateway."""
    assert NGINX is not None
    folder = tmp_path_factory.mktemp("nginx")
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(folder / "authority.pem")
    certificate.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
    certificate.private_key_pem.write_to_path(folder / "certificate.key")
    (folder / "htpasswd").write_text(":{PLAIN}".join(LOGIN))
    plain, port = free_port(), free_port()
    site = SITE
    for text, replacement in {
        "listen 80;": f"listen 127.0.0.1:{plain};",
        "listen 443 ssl http2;": f"listen 127.0.0.1:{port} ssl http2;",
        "server 127.0.0.1:8000;": f"server {gateway.url.removeprefix('http://')};",
        "/etc/nginx/tls/images.example.com.pem": f"{folder}/certificate.pem",
        "/etc/nginx/tls/images.example.com.key": f"{folder}/certificate.key",
        "/etc/nginx/darkroom.htpasswd": f"{folder}/htpasswd",
        "/var/cache/darkroom": f"{folder}/cache",
    }.items():
        assert site.count(text) == 1, text
        site = site.replace(text, replacement)
    (folder / "darkroom.conf").write_text(site)
    configuration = folder / "nginx.conf"
    configuration.write_text(MIN_CONFIGURATION.format(folder=folder, user=getpass.getuser()))
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    process = subprocess.Popen([NGINX, "-c", str(configuration)], start_new_session=True)
    try:
        wait_until(lambda: process.poll() is not None or listens(port))
        url = f"https://127.0.0.1:{port}"
        with httpx.Client(
            verify=trust, auth=LOGIN, base_url=url, timeout=20, trust_env=False
        ) as http:
            yield Proxy(port, trust, http, configuration)
    finally:
        process.terminate()
        process.wait(10)


def listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def image(proxy: Proxy) -> str:
    """The path of an image that was uploaded through nginx."""
    uploaded = proxy.http.post("/v1/images", content=photograph(seed=61))
    assert uploaded.status_code in {200, 201}, uploaded.text
    return str(uploaded.headers["Location"])


def value_of(directive: str) -> str:
    """Return the value that the configuration gives a directive."""
    [value] = re.findall(rf"^\s*{directive}\s+(.+?);", SITE, re.MULTILINE)
    return str(value)


def test_nginx_finds_no_fault_in_the_configuration(proxy: Proxy) -> None:
    assert NGINX is not None
    checked = subprocess.run(
        [NGINX, "-t", "-c", str(proxy.configuration)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


def test_the_limits_are_those_of_the_gateway() -> None:
    defaults = GatewaySettings.model_fields
    assert value_of("client_max_body_size") == f"{defaults['max_body'].default >> 20}m"
    patience = int(value_of("proxy_read_timeout").removesuffix("s"))
    assert patience > defaults["max_timeout"].default
    assert patience > defaults["keep_alive"].default


def test_only_the_health_check_is_open_to_all(proxy: Proxy) -> None:
    assert proxy.http.get("/v1/system").status_code == 200
    assert proxy.http.get("/v1/system", auth=("team", "wrong")).status_code == 401
    with httpx.Client(verify=proxy.trust, trust_env=False) as stranger:
        assert stranger.get(f"{proxy.url}/v1/system").status_code == 401
        assert stranger.get(f"{proxy.url}/health/ready").status_code == 200


def test_a_render_passes_in_both_directions(proxy: Proxy) -> None:
    rendered = proxy.http.post("/v1/render?op=resize:width=64&format=png", content=photograph())
    assert rendered.status_code == 200
    assert rendered.headers["Content-Type"] == "image/png"
    assert "X-Cache" not in rendered.headers


def test_the_second_request_for_a_render_is_answered_by_the_cache(proxy: Proxy, image: str) -> None:
    address = f"{image}/render?op=resize:width=65"
    first, second = proxy.http.get(address), proxy.http.get(address)
    assert (first.status_code, first.headers["X-Cache"]) == (200, "MISS")
    assert (second.status_code, second.headers["X-Cache"]) == (200, "HIT")
    assert second.content == first.content
    kept = proxy.http.get(address, headers={"If-None-Match": first.headers["ETag"]})
    assert (kept.status_code, kept.headers["X-Cache"]) == (304, "HIT")


def test_no_cache_asks_the_gateway_again(proxy: Proxy, image: str) -> None:
    address = f"{image}/render?op=resize:width=66"
    proxy.http.get(address)
    again = proxy.http.get(address, headers={"Cache-Control": "no-cache"})
    assert again.headers["X-Cache"] == "BYPASS"
    assert again.headers["Cache-Status"] == "darkroom; fwd=request"


def test_each_accept_has_a_result_of_its_own_with_format_auto(proxy: Proxy, image: str) -> None:
    address = f"{image}/render?op=resize:width=67&format=auto"

    def get(accept: str) -> tuple[str, str]:
        answer = proxy.http.get(address, headers={"Accept": accept})
        assert answer.status_code == 200
        return answer.headers["X-Cache"], answer.headers["Content-Type"]

    assert get("image/jpeg") == ("MISS", "image/jpeg")
    assert get("image/webp") == ("MISS", "image/webp")
    assert get("image/jpeg") == ("HIT", "image/jpeg")
    assert get("image/webp") == ("HIT", "image/webp")


def test_an_error_is_not_cached(proxy: Proxy, image: str) -> None:
    for _ in range(2):
        refused = proxy.http.get(f"{image}/render?op=resize:width=0")
        assert (refused.status_code, refused.headers["X-Cache"]) == (422, "MISS")


def test_a_body_over_the_limit_is_refused_before_it_is_sent(proxy: Proxy) -> None:
    too_large = GatewaySettings.model_fields["max_body"].default + 1
    with (
        socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as plain,
        proxy.trust.wrap_socket(plain, server_hostname="127.0.0.1") as encrypted,
    ):
        encrypted.sendall(
            f"POST /v1/images HTTP/1.1\r\nHost: x\r\nContent-Length: {too_large}\r\n\r\n".encode()
        )
        assert encrypted.recv(100).startswith(b"HTTP/1.1 413 ")


def test_job_events_arrive_over_a_websocket(proxy: Proxy) -> None:
    job = proxy.http.post("/v1/jobs?op=grayscale", content=photograph(seed=62)).json()["id"]
    credentials = httpx.BasicAuth(*LOGIN)
    request = next(credentials.auth_flow(httpx.Request("GET", proxy.url)))
    headers = {"Authorization": request.headers["Authorization"]}
    with connect(
        f"wss://127.0.0.1:{proxy.port}/v1/live",
        ssl=proxy.trust,
        additional_headers=headers,
        proxy=None,
    ) as live:
        live.send(json.dumps({"watch": [job]}))
        while (event := json.loads(live.recv(timeout=10)))["state"] != "succeeded":
            assert event["job"] == job


def test_an_event_arrives_before_the_stream_ends(proxy: Proxy) -> None:
    slow = {"op": ["blur:100"] * 12, "format": "png"}
    body = photograph(3000, 2000, seed=63)
    job = proxy.http.post("/v1/jobs", params=slow, content=body).headers["Location"]
    with proxy.http.stream("GET", f"{job}/events") as events:
        data = next(line for line in events.iter_lines() if line.startswith("data:"))
        assert json.loads(data.removeprefix("data:"))["state"] in {"queued", "running"}
    assert proxy.http.delete(job).is_success


def test_the_gateway_knows_the_address_of_the_client(proxy: Proxy) -> None:
    transport = httpx.HTTPTransport(verify=proxy.trust, local_address="127.0.0.2")
    with httpx.Client(transport=transport, auth=LOGIN) as other:
        forged = {"X-Forwarded-For": "192.0.2.1"}
        job = other.post(
            f"{proxy.url}/v1/jobs?op=flip", content=photograph(seed=64), headers=forged
        )
    assert job.json()["submitter"] == "127.0.0.2"


def test_the_command_line_takes_the_password_in_the_address(proxy: Proxy) -> None:
    login = ":".join(LOGIN)
    listed = subprocess.run(
        [sys.executable, "-m", "darkroom", "workers", "--json"],
        env={
            **os.environ,
            "DARKROOM_GATEWAY": f"https://{login}@127.0.0.1:{proxy.port}",
            "SSL_CERT_FILE": str(proxy.configuration.parent / "authority.pem"),
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert listed.returncode == 0, listed.stderr
    assert json.loads(listed.stdout)["workers"]
