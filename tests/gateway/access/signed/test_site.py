"""A website's pictures by signed URLs and public presets, from a gateway that asks for keys."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.imaging import RENDER_VERSION
from darkroom.client import KEY_VARIABLE
from darkroom.signing import sign
from tests.darkroom.command import files_in, run_darkroom, write_photograph
from tests.e2e.pictures import photograph
from tests.gateway.access.signed.sites import KEYS, PRESETS, SECRET
from tests.gateway.documented import assert_documented
from tests.processes import HTTP, Service, faststream, wait_until

ADMIN = "admin-key-of-these-tests-0123456789"
KEY = {"Authorization": f"Bearer {ADMIN}"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    (folder / "keys.toml").write_text(KEYS)
    (folder / "presets.toml").write_text(PRESETS)
    sources = ""
    for name in ("window", "store"):
        (folder / name).mkdir()
        (folder / name / "house.jpg").write_bytes(photograph(96, 64, seed=9))
        sources += f'[sources.{name}]\nkind = "folder"\nroot = "{folder / name}"\n'
    (folder / "sources.toml").write_text(sources)
    return folder


@pytest.fixture(scope="module")
def service(folder: Path, imaging: Service, redis_url: str) -> Iterator[Service]:
    """A gateway that takes signed URLs and public presets, beside an imaging service."""
    env = {
        "DARKROOM_ACCESS": "keys",
        "DARKROOM_ANONYMOUS": "presets",
        "DARKROOM_ADMIN_KEY": ADMIN,
        "DARKROOM_SIGNING_KEYS": str(folder / "keys.toml"),
        "DARKROOM_PRESETS": str(folder / "presets.toml"),
        "DARKROOM_SOURCES": str(folder / "sources.toml"),
    }
    with faststream("gateway", redis_url, env=env) as running:
        yield running


@pytest.fixture
def site(service: Service) -> Iterator[httpx.Client]:
    """A client without a key."""
    hooks = {"response": [assert_documented]}
    with httpx.Client(base_url=service.url, timeout=20, event_hooks=hooks) as client:
        yield client


@pytest.fixture(scope="module")
def image(service: Service) -> str:
    """The address of an uploaded photograph."""
    picture = photograph(800, 600, seed=7)
    stored = HTTP.post(f"{service.url}/v1/images", content=picture, headers=KEY)
    stored.raise_for_status()
    return str(stored.headers["location"])


def signed(url: str, kid: str = "web-1", **options: Any) -> str:
    return sign(url, kid=kid, secret=SECRET, **options)


def max_age(answer: httpx.Response) -> int:
    fields = answer.headers["cache-control"].split(", ")
    return int(next(one for one in fields if one.startswith("max-age=")).removeprefix("max-age="))


def reload(service: Service, path: Path, text: str) -> None:
    """Write a configuration file, and have the gateway read it."""
    path.write_text(text)
    before = service.output().count("configuration file read again")
    os.kill(service.process.pid, signal.SIGHUP)
    wait_until(lambda: service.output().count("configuration file read again") >= before + 3)


def test_a_signed_url_shows_a_picture_and_nothing_else(site: httpx.Client, image: str) -> None:
    url = signed(f"{image}/render?op=resize:width=64&format=png", expires=600)

    assert site.get(f"{image}/render?op=resize:width=64&format=png").status_code == 401
    shown = site.get(url)
    assert shown.status_code == 200
    assert shown.headers["content-type"] == "image/png"
    assert shown.headers["cache-control"].startswith("public, max-age=")
    assert 590 <= max_age(shown) <= 1200
    assert site.head(url).status_code == 200
    other = site.get(url.replace("64", "65"))
    assert (other.status_code, other.json()["code"]) == (403, "signature_invalid")
    assert other.headers["cache-control"] == "no-store"
    assert site.post(url).json()["code"] == "signature_invalid"


def test_signatures_are_no_part_of_a_results_key(site: httpx.Client, image: str) -> None:
    query = f"{image}/render?op=resize:width=48&op=grayscale&format=webp"
    first = site.get(signed(query, expires=600))

    for url in (signed(query, "old"), signed(query, expires=86_400, grid=86_400)):
        again = site.get(url)
        assert again.headers["cache-status"] == "darkroom; hit"
        assert again.headers["etag"] == first.headers["etag"]


def test_an_answer_in_memory_ends_with_its_url(site: httpx.Client, image: str) -> None:
    """Two URLs that ask the same have answers of their own: each says how long it may be kept."""
    query = f"{image}/render?op=resize:width=56&format=webp"
    now = time.time()
    for_ever, soon = signed(query), signed(query, expires=50, grid=1, now=now)
    site.get(for_ever)
    kept = [site.get(for_ever) for _ in range(2)]
    ending = [site.get(soon) for _ in range(3)]

    assert {max_age(answer) for answer in kept} == {3600}
    for answer in (kept[1], ending[2]):
        assert "age" in answer.headers
    for answer in ending:
        assert max_age(answer) - int(answer.headers.get("age", 0)) <= 51
    over = site.get(signed(query, expires=50, now=now - 3600))
    assert (over.status_code, over.headers["cache-control"]) == (403, "no-store")
    assert "expired" in over.json()["detail"]


def test_a_missing_image_is_missing_no_longer_than_its_url_is_valid(site: httpx.Client) -> None:
    nobody = f"/v1/images/{'e' * 64}/render?op=flip"
    ending, endless = site.get(signed(nobody, expires=4, grid=1)), site.get(signed(nobody))

    assert (ending.status_code, endless.status_code) == (404, 404)
    assert max_age(ending) <= 4
    assert max_age(endless) == 5


def test_the_project_of_a_signing_key_sees_its_own_images_alone(
    site: httpx.Client, image: str
) -> None:
    for url in (image, f"{image}/render?op=grayscale"):
        assert site.get(signed(url)).status_code == 200
        assert site.get(signed(url, "shop")).status_code == 404


def test_a_public_preset_needs_no_key_and_a_signed_one_may_be_any(
    site: httpx.Client, image: str
) -> None:
    shown = site.get(f"{image}/render?preset=card&w=320&h=240", headers={"accept": "image/webp"})

    assert shown.status_code == 200
    assert shown.headers["content-type"] == "image/webp"
    assert shown.headers["vary"] == "Accept"
    assert max_age(shown) == 900
    assert site.get(f"{image}/render?preset=gray").status_code == 401
    assert site.get(signed(f"{image}/render?preset=gray")).headers["content-type"] == "image/png"
    assert site.get(f"{image}?preset=card&w=320&h=240").status_code == 401
    assert site.get(f"{image}/render?%70reset=card&w=320&h=240").status_code == 401
    wrong = site.get(f"{image}/render?preset=card&w=321&h=240")
    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid_operation")
    assert "there are: 320, 640" in wrong.json()["detail"]


def test_the_versions_of_preset_and_engine_make_an_answer_immutable(
    site: httpx.Client, image: str
) -> None:
    query = f"{image}/render?preset=card&w=320&h=240&v="

    current = site.get(f"{query}3.{RENDER_VERSION}")
    older = site.get(f"{query}2.{RENDER_VERSION}")
    engine_alone = site.get(f"{query}{RENDER_VERSION}")

    assert "immutable" in current.headers["cache-control"]
    assert max_age(current) == 31_536_000
    assert {max_age(older), max_age(engine_alone)} == {60}


def test_one_signature_serves_the_sizes_of_a_picture(site: httpx.Client, image: str) -> None:
    url = signed(f"{image}/render?preset=card&w=640&h=480", expires=600, free=["w", "h"])

    small = site.get(url.replace("w=640", "w=320").replace("h=480", "h=240"))
    assert small.status_code == 200
    assert len(small.content) < len(site.get(url).content)
    assert site.get(url.replace("w=640", "w=100")).status_code == 422
    assert site.get(url.replace("&w=640", "")).status_code == 403


def test_an_edited_preset_and_a_revoked_key_count_at_once(
    site: httpx.Client, image: str, folder: Path, service: Service
) -> None:
    public = f"{image}/render?preset=card&w=320&h=240&timeout=9"
    private = signed(f"{image}/render?op=resize:width=40&format=png")
    before = [site.get(public) for _ in range(3)][-1]
    assert "age" in before.headers  # from the memory of the process
    assert [site.get(private).status_code for _ in range(2)] == [200, 200]

    (folder / "keys.toml").write_text(
        KEYS.replace("[keys.web-1]", '[keys.web-1]\nstate = "revoked"')
    )
    reload(service, folder / "presets.toml", PRESETS.replace('"sharpen"', '"grayscale"'))

    after = site.get(public)
    assert after.status_code == 200
    assert after.headers["etag"] != before.headers["etag"]
    assert site.get(private).status_code == 403
    (folder / "keys.toml").write_text(KEYS)
    reload(service, folder / "presets.toml", PRESETS)
    assert site.get(public).headers["etag"] == before.headers["etag"]
    assert site.get(private).status_code == 200


def test_a_preset_and_a_signature_open_the_sources_that_they_name(site: httpx.Client) -> None:
    assert site.get("/v1/fetch?src=window:house.jpg&preset=window").status_code == 200
    refused = site.get("/v1/fetch?src=store:house.jpg&preset=window")
    assert refused.json()["code"] == "source_refused"
    assert site.get("/v1/fetch?src=store:house.jpg&op=grayscale").status_code == 401

    url = signed("/v1/fetch?src=store:house.jpg&op=grayscale", expires=600)
    assert site.get(url).status_code == 200
    assert max_age(site.get(url)) <= 1200
    assert site.get(url.replace("house", "horse")).status_code == 403


def test_presets_are_listed_for_a_project(site: httpx.Client) -> None:
    assert site.get("/v1/presets").status_code == 401
    card, gray, window = site.get("/v1/presets", headers=KEY).json()["presets"]

    assert (card["name"], card["v"], card["vary"]) == (
        "card",
        f"3.{RENDER_VERSION}",
        {"w": [320, 640], "h": [240, 480]},
    )
    assert (gray["name"], gray["v"], gray["public"]) == ("gray", None, False)
    assert window["sources"] == ["window"]


def test_jobs_take_presets_in_their_query_and_as_variants(site: httpx.Client, image: str) -> None:
    variants = [{"preset": "card", "w": 320, "h": 240}, {"operations": [{"op": "sepia"}]}]
    new = {"source": {"image": image.rpartition("/")[2]}, "variants": variants}
    job = site.post("/v1/jobs", json=new, headers=KEY).json()
    resize = {"op": "resize", "width": 320, "height": 240, "fit": "cover"}
    assert resize.items() <= job["variants"][0]["operations"][0].items()

    wrong = {**new, "variants": [variants[1], {"preset": "card", "w": 1, "h": 240}]}
    refused = site.post("/v1/jobs", json=wrong, headers=KEY)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_operation")
    assert refused.json()["detail"].startswith("variants.1: 'w' of the preset 'card' can't be '1'")

    picture = photograph(64, 48, seed=8)
    sent = site.post("/v1/jobs?preset=gray", content=picture, headers=KEY).json()
    assert [one["op"] for one in sent["variants"][0]["operations"]] == ["grayscale"]
    rendered = site.post("/v1/render?preset=gray", content=picture, headers=KEY)
    assert rendered.headers["content-type"] == "image/png"
    assert site.post("/v1/render?preset=card&w=320&h=240", content=picture).status_code == 401


def test_the_command_renders_with_a_preset(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, ADMIN)
    photo = write_photograph(tmp_path / "house.jpg", seed=10)
    command = ("render", photo, "--out", tmp_path / "cards", "--preset", "card", "--set", "w=320")

    assert "card" in run_darkroom(service.url, "presets").stdout
    wrong = run_darkroom(service.url, *command, "--set", "h=9", code=2)
    assert "there are: 240, 480" in wrong.stderr
    run_darkroom(service.url, *command, "--set", "h=240")
    assert files_in(tmp_path / "cards")
