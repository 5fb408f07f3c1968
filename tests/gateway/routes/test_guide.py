"""The guide is served from the package and loads nothing from elsewhere; its absence is named."""

import re
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from services.gateway.http.error_handlers import install_error_handlers
from services.gateway.routes import guide

LOADED = re.compile(r"""<(?:script|img|link|source)\b[^>]*?(?:src|href)=["'](?:https?:)?//""")


def app() -> FastAPI:
    made = FastAPI(redirect_slashes=False)
    install_error_handlers(made)
    made.include_router(guide.router)
    guide.mount_guide(made)
    return made


@pytest.mark.parametrize("path", ["/guide/", "/guide/start/install/", "/guide/search/?q=webhook"])
def test_a_page_of_the_guide_may_load_nothing_from_other_hosts(
    client: httpx.Client, path: str
) -> None:
    page = client.get(path)

    assert page.status_code == 200, "run make docs"
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-cache"
    assert client.get(path, headers={"If-None-Match": page.headers["etag"]}).status_code == 304
    assert page.headers["x-content-type-options"] == "nosniff"
    assert LOADED.findall(page.text) == []


def test_the_short_address_leads_to_the_first_page(client: httpx.Client) -> None:
    answer = client.get("/guide")

    assert answer.has_redirect_location
    assert answer.headers["location"] == "guide/"
    assert client.get("/guide", follow_redirects=True).status_code == 200


def test_a_page_is_found_without_its_last_slash(client: httpx.Client) -> None:
    page = client.get("/guide/start/install", follow_redirects=True)

    assert page.status_code == 200
    assert page.url.path == "/guide/start/install/"


def test_a_redirect_of_the_guide_keeps_to_the_host_and_the_prefix_of_a_proxy(
    client: httpx.Client,
) -> None:
    answer = client.get("/guide/start/install?q=1", headers={"Host": "other.localhost"})

    assert answer.headers["location"] == "./install/?q=1"


@pytest.mark.parametrize("path", ["/guide/nothing-here", "/guide/..%2f..%2fmain.py"])
def test_an_unknown_page_is_a_problem_document(client: httpx.Client, path: str) -> None:
    answer = client.get(path)

    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


async def test_an_installation_without_the_guide_says_how_to_build_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(guide, "_GUIDE", tmp_path / "guide")

    transport = httpx.ASGITransport(app())
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as without:
        answer = await without.get("/guide/errors/no_workers/")

    assert answer.status_code == 404
    assert "make docs" in answer.json()["detail"]


@pytest.mark.parametrize("asked", ["bytes=abc", "bytes=5-2", "items=0-1", "bytes=99999999-"])
@pytest.mark.parametrize("path", ["/guide/house.jpg", "/web/app.js"])
def test_a_file_is_sent_whole_whatever_range_is_asked_for(
    client: httpx.Client, path: str, asked: str
) -> None:
    answer = client.get(path, headers={"Range": asked})

    assert answer.status_code == 200
    assert len(answer.content) == int(answer.headers["content-length"]) > 0
    assert "accept-ranges" not in answer.headers
