"""Attacks by `Cache-Control: no-cache`, which renders again what is stored."""

import time

import httpx

from tests.adversary.conftest import Record
from tests.imaging.pictures import encoded, scenery
from tests.processes import Service, faststream

NO_CACHE = {"Cache-Control": "no-cache"}


def test_a_stranger_cannot_have_everything_rendered_again(
    imaging: Service, redis_url: str, record_attack: Record
) -> None:
    image = encoded(scenery(400, 300), "PNG")
    limited = {"DARKROOM_MAX_RERENDERS": "5"}
    with (
        faststream("gateway", redis_url, env=limited) as gateway,
        httpx.Client(base_url=gateway.url, timeout=20) as client,
    ):
        stored = client.post("/v1/images", content=image).headers["Location"]
        address = f"{stored}/render?op=blur:3"
        first, began = client.get(address), time.monotonic()
        answers = [client.get(address, headers=NO_CACHE) for _ in range(40)]
        minutes = (time.monotonic() - began) / 60
        posted = client.post("/v1/render?op=blur:3", content=image, headers=NO_CACHE)

    assert {answer.status_code for answer in answers} == {200}
    assert {answer.content for answer in answers} == {first.content}
    assert posted.content == first.content
    anew = [answer.headers["Cache-Status"] for answer in answers].count("darkroom; fwd=request")
    assert 5 <= anew <= 7 + minutes * 5
    assert "decode" not in posted.headers["Server-Timing"]
    record_attack(
        "40 times the same render with `Cache-Control: no-cache`",
        "40 renders, and as many as a client asks for",
        f"{anew} renders with a limit of 5 a minute (60 by default), else the stored result",
    )
