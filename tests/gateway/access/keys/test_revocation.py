"""A revoked key is dead on every gateway: for answers in memory, and for streams that are open."""

import json
import time
from functools import partial

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from contracts.access.keys import KeyScope
from tests.gateway.access.gateways import ADMIN_KEY, bearer, gateway
from tests.imaging.pictures import encoded, scenery
from tests.processes import HTTP, Service, wait_until

PNG = encoded(scenery(67, 45), "PNG")
LEASE = 1.0  # seconds: what the guide promises


def make_key(url: str, *scopes: KeyScope) -> tuple[str, str]:
    """Make a key, and return its id and its text."""
    new = {"name": "test", "scopes": scopes}
    made = HTTP.post(f"{url}/v1/keys", json=new, headers=bearer(ADMIN_KEY))
    assert made.status_code == 201, made.text
    return made.json()["id"], made.json()["key"]


def is_kept(address: str, key: str) -> bool:
    """Return whether an answer comes from the memory of a gateway."""
    return "age" in HTTP.get(address, headers=bearer(key)).headers


def revoke(url: str, key_id: str) -> None:
    gone = HTTP.delete(f"{url}/v1/keys/{key_id}", headers=bearer(ADMIN_KEY))
    assert gone.status_code == 204


def test_a_revoked_key_gets_no_answer_from_memory_a_second_later(
    imaging: Service, redis_url: str
) -> None:
    with gateway(redis_url) as first, gateway(redis_url) as second:
        key_id, key = make_key(first, KeyScope.RENDER, KeyScope.UPLOAD)
        stored = HTTP.post(f"{first}/v1/images", content=PNG, headers=bearer(key))
        path = stored.headers["location"]
        for url in (first, second):
            wait_until(partial(is_kept, url + path, key))
            # A head that came often is not read again.
            kept = [HTTP.get(url + path, headers=bearer(key)) for _ in range(60)][-1]
            assert kept.content == PNG
            assert kept.headers["cache-control"].startswith("private, max-age=")
            assert "x-accel-expires" not in kept.headers

        revoke(first, key_id)

        assert HTTP.get(first + path, headers=bearer(key)).status_code == 401
        time.sleep(LEASE)
        assert HTTP.get(second + path, headers=bearer(key)).status_code == 401
        _, other = make_key(second, KeyScope.RENDER)
        assert HTTP.get(second + path, headers=bearer(other)).content == PNG


def test_streams_of_a_revoked_key_end(workerless_redis: str) -> None:
    with gateway(workerless_redis) as first, gateway(workerless_redis) as second:
        key_id, key = make_key(first, KeyScope.JOBS, KeyScope.READ_JOBS)
        submitted = HTTP.post(f"{first}/v1/jobs?op=flip", content=PNG, headers=bearer(key))
        job = submitted.headers["location"]
        live = second.replace("http", "ws") + "/v1/live"
        with (
            connect(live, additional_headers=bearer(key)) as socket,
            httpx.stream("GET", f"{second}{job}/events", headers=bearer(key)) as events,
        ):
            lines = events.iter_lines()
            socket.send(json.dumps({"watch": [job.rpartition("/")[2]]}))
            assert "queued" in str(socket.recv(10))
            assert next(lines) == "event: job"

            revoke(first, key_id)

            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(10)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1008
            assert "dropped" not in list(lines)
        assert HTTP.get(f"{second}{job}/events", headers=bearer(key)).status_code == 401
