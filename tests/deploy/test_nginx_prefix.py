"""The gateway below a path of a shared host name: every address that it gives leads back to it."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.async_api import async_playwright, expect
from websockets.sync.client import connect

from bench.exact.chromium import QUIET
from bench.exact.needs import CHROMIUM
from tests.browser.interactions import card_of, drop, finished, photograph
from tests.deploy.nginx import LOGIN, NGINX, Proxy, nginx
from tests.e2e.pictures import photograph as picture
from tests.processes import HTTP, ROOT, Service, faststream

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(NGINX is None, reason="needs nginx: apt-get install nginx-light"),
]

PREFIX = "/images"


@pytest.fixture(scope="module")
def below(imaging: Service, redis_url: str) -> Iterator[Service]:
    """A gateway that clients see below the prefix."""
    with faststream("gateway", redis_url, env={"DARKROOM_ROOT_PATH": PREFIX}) as service:
        yield service


@pytest.fixture(scope="module")
def proxy(below: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """nginx in front of it."""
    with nginx(below.url, tmp_path_factory.mktemp("nginx"), prefix=PREFIX) as running:
        yield running


def test_every_address_of_an_answer_leads_back(proxy: Proxy) -> None:
    get = proxy.http.get
    image = proxy.http.post(f"{PREFIX}/v1/images", content=picture(seed=71)).headers["Location"]
    proxy.http.post(f"{PREFIX}/v1/images", content=picture(seed=72))
    assert get(image).status_code == 200
    assert get(f"{image}/render?op=flip").headers["X-Cache"] == "MISS"
    page = get(f"{PREFIX}/v1/images?limit=1")
    assert page.links["next"]["url"] == page.json()["next"]
    assert get(page.json()["next"]).status_code == 200

    job = proxy.http.post(f"{PREFIX}/v1/jobs?op=sepia", content=picture(seed=73))
    events = get(f"{job.headers['Location']}/events")
    assert '"state":"succeeded"' in events.text
    status = get(job.headers["Location"])
    assert (status.status_code, get(status.headers["Location"]).status_code) == (302, 200)
    [result] = get(f"{job.headers['Location']}/results").json()["results"]
    assert get(result["href"]).headers["Content-Type"] == "image/jpeg"

    refused = get(f"{PREFIX}/v1/images/nothing")
    assert refused.json()["type"] == f"{PREFIX}/guide/errors/not_found"
    [server] = get(f"{PREFIX}/openapi.json").json()["servers"]
    assert server["url"] == PREFIX
    assert get(f"{PREFIX}/web/app.js").status_code == 200


def test_events_arrive_over_a_websocket(proxy: Proxy) -> None:
    job = proxy.http.post(f"{PREFIX}/v1/jobs?op=grayscale", content=picture(seed=74)).json()["id"]
    request = next(httpx.BasicAuth(*LOGIN).auth_flow(httpx.Request("GET", proxy.url)))
    with connect(
        f"wss://127.0.0.1:{proxy.port}{PREFIX}/v1/live",
        ssl=proxy.trust,
        additional_headers={"Authorization": request.headers["Authorization"]},
        proxy=None,
    ) as live:
        live.send(json.dumps({"watch": [job]}))
        while json.loads(live.recv(timeout=10))["state"] != "succeeded":
            pass


def test_who_reaches_the_gateway_itself_needs_no_prefix(below: Service) -> None:
    assert HTTP.get(f"{below.url}/health/ready").status_code == 200
    assert HTTP.get(f"{below.url}{PREFIX}{PREFIX}/health/ready").status_code == 404


def test_a_proxy_that_removes_the_prefix_may_name_another_one(below: Service) -> None:
    named = {"X-Forwarded-Prefix": "/pictures"}
    answer = HTTP.post(f"{below.url}/v1/jobs?op=flip", content=picture(seed=75), headers=named)

    assert answer.headers["Location"].startswith("/pictures/v1/jobs/")


def test_the_command_line_renders_with_the_path_in_the_address(
    proxy: Proxy, tmp_path: Path
) -> None:
    (tmp_path / "house.jpg").write_bytes(picture(seed=76))
    command = [sys.executable, "-m", "darkroom", "render", "house.jpg", "--op", "flip"]
    subprocess.run(
        [*command, "--out", "results"],
        env={
            **os.environ,
            "DARKROOM_GATEWAY": f"https://{':'.join(LOGIN)}@127.0.0.1:{proxy.port}{PREFIX}",
            "SSL_CERT_FILE": str(proxy.configuration.parent / "authority.pem"),
            "PYTHONPATH": str(ROOT),
        },
        cwd=tmp_path,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    assert (tmp_path / "results/house.jpg").stat().st_size > 0


def test_the_page_the_guide_and_the_documents_work(proxy: Proxy) -> None:
    if CHROMIUM.path is None:
        pytest.skip("no Chromium or Chrome is installed here")
    asyncio.run(look(proxy))


async def look(proxy: Proxy) -> None:
    """Render a photograph on the page, then follow its links to the guide and the documents."""
    user, password = LOGIN
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM.path, args=QUIET)
        context = await chromium.new_context(
            base_url=proxy.url,
            ignore_https_errors=True,
            http_credentials={"username": user, "password": password},
        )
        page = await context.new_page()
        failed: list[str] = []
        page.on("response", lambda one: failed.append(one.url) if one.status >= 400 else None)
        page.on("pageerror", lambda error: failed.append(str(error)))
        await page.goto(f"{PREFIX}/")
        await drop(page, photograph("house.jpg"))
        await finished(card_of(page, "house.jpg"))
        result = card_of(page, "house.jpg").get_by_role("img", name="house.jpg, the result")
        assert await result.evaluate("image => image.decode().then(() => image.naturalWidth)") == 96

        await page.get_by_role("link", name="HTTP API").click()
        await expect(page.get_by_text("/v1/render", exact=True)).to_be_visible()
        await page.goto(f"{PREFIX}/asyncapi")
        await expect(page.get_by_text("imaging.render").first).to_be_visible()
        await page.goto(f"{PREFIX}/guide")
        assert page.url == f"{proxy.url}{PREFIX}/guide/"
        await expect(page.get_by_role("heading", name="Darkroom").first).to_be_visible()
        await chromium.close()
        assert failed == []
