"""The commands and methods for uploaded images: upload, list, label, delete."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.operations.pipeline import Pipeline
from darkroom.client import Client
from darkroom.errors import GatewayError
from tests.darkroom.command import run_darkroom, write_photograph


def run_json(gateway: str, *arguments: str | Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run_darkroom(gateway, *arguments, "--json").stdout)
    return found


def test_uploads_are_listed_labelled_and_deleted(gateway_url: str, tmp_path: Path) -> None:
    photo, other = (write_photograph(tmp_path / f"{n}.jpg", seed=n) for n in (7001, 7002))
    torn = tmp_path / "torn.jpg"
    torn.write_bytes(b"no image")
    ran = run_darkroom(gateway_url, "upload", other, torn, photo, "--ttl", "900", code=1)
    assert "7001.jpg" in ran.stdout
    assert "torn.jpg: image_unreadable" in ran.stderr

    newest, older = run_json(gateway_url, "images")[:2]
    assert [newest["label"], older["label"]] == ["7001.jpg", "7002.jpg"]
    assert (newest["width"], newest["height"]) == (320, 240)
    assert newest["expires"] is not None
    assert newest["id"] in run_darkroom(gateway_url, "images").stdout

    (named,) = run_json(gateway_url, "label", newest["id"], "Küche 1.jpg")
    assert named == newest | {"label": "Küche 1.jpg"}
    run_darkroom(gateway_url, "delete", newest["id"])
    assert run_json(gateway_url, "images")[0] == older
    assert "not_found" in run_darkroom(gateway_url, "delete", newest["id"], code=1).stderr
    run_darkroom(gateway_url, "delete", older["id"])


@pytest.mark.parametrize(
    "arguments",
    [("label", "x", "name"), ("delete", "A" * 64), ("label", "a" * 64, "x" * 201), ("upload",)],
)
def test_a_mistake_in_an_argument_sends_nothing(arguments: tuple[str, ...]) -> None:
    run_darkroom("http://127.0.0.1:9", *arguments, code=2)


async def test_the_client_changes_a_life_and_names_its_jobs(
    gateway_url: str, tmp_path: Path
) -> None:
    photo = write_photograph(tmp_path / "Ku\u0308che.jpg", seed=7003)
    async with Client(gateway_url) as client:
        image = await client.upload(photo)
        assert (image.label, image.expires) == ("K\u00fcche.jpg", None)
        expires = (await client.set_ttl(image.id, 60)).expires
        assert expires is not None
        assert 0 < (expires - datetime.now(UTC)).total_seconds() <= 61
        assert await client.set_ttl(image.id, None) == image
        job = (await client.submit(photo, Pipeline(), key="labelled")).job
        assert job.label == "K\u00fcche.jpg"
        assert (await client.job(job.id)).label == job.label
        assert job.label in run_darkroom(gateway_url, "job", job.id).stdout
        await client.delete(image.id)


async def test_pages_are_followed_on_the_gateway_alone() -> None:
    entry = {
        "id": "a" * 64, "media_type": "image/png", "bytes": 1, "width": None, "height": None,
        "created": "2026-01-31T12:00:00Z", "expires": None, "label": None,
    }  # fmt: skip
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        where = "/v1/images?after=1" if len(asked) == 1 else "http://elsewhere/v1/images"
        return httpx.Response(200, json={"images": [entry], "next": where})

    async with Client("http://gateway", transport=httpx.MockTransport(answer)) as client:
        images = client.images()
        assert [(await anext(images)).id for _ in range(2)] == ["a" * 64] * 2
        with pytest.raises(GatewayError) as refused:
            await anext(images)
    assert refused.value.code == "not_understood"
    assert asked == ["http://gateway/v1/images?limit=1000", "http://gateway/v1/images?after=1"]
