"""A flipped byte in a file of the store, as clients see it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from http.client import IncompleteRead
from pathlib import Path

import httpx
import pytest
from redis import Redis

from contracts.imaging import Inspected
from services.runtime.redis import keys
from services.runtime.storage.records import Kind
from services.runtime.storage.stores.store import CHUNK
from tests.gateway.raw import connected, read_response
from tests.gateway.refusals import assert_problem
from tests.processes import HTTP, Service, faststream, valkey

SEEN = Inspected(format="png", media_type="image/png", mode="RGB", width=1, height=1)


@dataclass
class Keeper:
    """A gateway with a store on the disk, and without workers."""

    service: Service
    redis: Redis
    root: Path

    def store(self, data: bytes) -> str:
        """Store an image with its description; return its URL."""
        answer = HTTP.post(f"{self.service.url}/v1/render", content=data)
        assert_problem(answer, 503, "no_workers")
        key = sha256(data).hexdigest()
        self.redis.hset(keys.blob(Kind.IMAGE, key), "note", SEEN.model_dump_json())
        return f"{self.service.url}/v1/images/{key}"

    def flip(self, url: str, at: int) -> None:
        """Change one bit in the file of an image."""
        [path] = self.root.rglob(url.rpartition("/")[2])
        with path.open("r+b") as file:
            file.seek(at)
            [byte] = file.read(1)
            file.seek(at)
            file.write(bytes([byte ^ 1]))


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keeper]:
    root = tmp_path_factory.mktemp("store")
    env = {
        "DARKROOM_STORE": f"file://{root}",
        "DARKROOM_DELIVERY_CACHE": "0",  # it would have the bytes from before the damage
    }
    with (
        valkey() as server,  # a Redis has one store
        faststream("gateway", server.connection_url, env=env) as service,
        Redis.from_url(server.connection_url) as redis,
    ):
        yield Keeper(service, redis, root)


@pytest.mark.parametrize("size", [3 * CHUNK, 2 * CHUNK + 1])
@pytest.mark.parametrize("at", [0, 2 * CHUNK])
def test_a_large_image_with_a_flipped_byte_is_sent_without_its_end(
    keeper: Keeper, size: int, at: int
) -> None:
    data = os.urandom(size)
    url = keeper.store(data)
    assert HTTP.get(url).content == data
    keeper.flip(url, at)

    path = httpx.URL(url).path
    with connected(keeper.service.url) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        with pytest.raises(IncompleteRead) as caught:
            read_response(sock)

    assert len(caught.value.partial) == 2 * CHUNK
    assert_problem(HTTP.get(url), 410, "gone")
    assert "Traceback" not in keeper.service.output()


def test_an_image_of_one_piece_with_a_flipped_byte_is_gone(keeper: Keeper) -> None:
    url = keeper.store(os.urandom(CHUNK))
    keeper.flip(url, 100_000)

    assert_problem(HTTP.get(url), 410, "gone")


def test_a_range_is_sent_without_a_check(keeper: Keeper) -> None:
    data = os.urandom(3 * CHUNK)
    url = keeper.store(data)
    keeper.flip(url, 0)

    answer = HTTP.get(url, headers={"Range": f"bytes={CHUNK - 5}-{CHUNK + 4}"})

    assert (answer.status_code, answer.content) == (206, data[CHUNK - 5 : CHUNK + 5])


def test_no_body_stays_in_the_folder_of_unfinished_files(keeper: Keeper) -> None:
    keeper.store(os.urandom(2 * CHUNK))
    too_large = HTTP.post(f"{keeper.service.url}/v1/images", content=bytes(70_000_000))
    assert_problem(too_large, 413, "too_large")

    assert not list((keeper.root / "tmp").iterdir())
