"""deploy/nginx.conf: what passes through nginx, and who may use it."""

import json
import os
import re
import socket
import subprocess
import sys

import httpx
import pytest
from websockets.sync.client import connect

from services.gateway.settings import GatewaySettings
from tests.deploy.nginx import LOGIN, NGINX, SITE, WEBSITE, Proxy
from tests.e2e.pictures import photograph
from tests.processes import ROOT

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(NGINX is None, reason="needs nginx: apt-get install nginx-light"),
]


def value_of(directive: str, site: str) -> str:
    """Return the value that a configuration gives a directive."""
    [value] = re.findall(rf"^\s*{directive}\s+(.+?);", site, re.MULTILINE)
    return str(value)


def test_nginx_finds_no_fault_in_the_configuration(proxy: Proxy) -> None:
    assert NGINX is not None
    checked = subprocess.run(
        [NGINX, "-t", "-c", str(proxy.configuration)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("site", [SITE, WEBSITE], ids=["nginx.conf", "website.conf"])
def test_the_limits_are_those_of_the_gateway(site: str) -> None:
    defaults = GatewaySettings.model_fields
    assert value_of("client_max_body_size", site) == f"{defaults['max_body'].default >> 20}m"
    patience = int(value_of("proxy_read_timeout", site).removesuffix("s"))
    assert patience > defaults["max_timeout"].default
    assert patience > defaults["keep_alive"].default


def test_only_the_health_check_is_open_to_all(proxy: Proxy) -> None:
    assert proxy.http.get("/v1/system").status_code == 200
    assert proxy.http.get("/v1/system", auth=("team", "wrong")).status_code == 401
    with httpx.Client(verify=proxy.trust, trust_env=False, timeout=20) as stranger:
        assert stranger.get(f"{proxy.url}/v1/system").status_code == 401
        assert stranger.get(f"{proxy.url}/health/ready").status_code == 200


def test_a_render_passes_in_both_directions(proxy: Proxy) -> None:
    rendered = proxy.http.post("/v1/render?op=resize:width=64&format=png", content=photograph())
    assert rendered.status_code == 200
    assert rendered.headers["Content-Type"] == "image/png"
    assert "X-Cache" not in rendered.headers


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
