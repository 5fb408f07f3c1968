"""A bucket as a source, on a real server that checks signatures."""

from collections.abc import Iterator

import pytest

from bench.s3_servers import BUCKET, CREDENTIALS, Nanio, S3Server
from contracts.errors import NotFound, SourceUnavailable
from services.runtime.storage.stores.bucket_clients import WRITING, Credentials, make_client
from services.runtime.store_address import StoreAddress
from tests.gateway.sources.conftest import MakeOriginals
from tests.gateway.sources.web import OTHER_PNG, PNG
from tests.s3_needed import skip_without_s3

KEY = Credentials(CREDENTIALS["AWS_ACCESS_KEY_ID"], CREDENTIALS["AWS_SECRET_ACCESS_KEY"])


@pytest.fixture(scope="module")
def bucket_server() -> Iterator[S3Server]:
    skip_without_s3()
    with Nanio() as server:
        yield server


def source(server: S3Server, monkeypatch: pytest.MonkeyPatch, secret: str) -> str:
    monkeypatch.setenv("ARCHIVE_KEY", KEY.access_key)
    monkeypatch.setenv("ARCHIVE_SECRET", secret)
    return (
        f'[sources.archive]\nkind = "s3"\nbucket = "{BUCKET}"\nprefix = "2026"\n'
        f'endpoint = "{server.endpoint}"\nregion = "us-east-1"\nfresh = 0\n'
        'access_key_env = "ARCHIVE_KEY"\nsecret_key_env = "ARCHIVE_SECRET"\n'
    )


async def test_an_object_is_sent_once_and_again_when_it_has_changed(
    bucket_server: S3Server, gateways: MakeOriginals, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = StoreAddress("s3", "", BUCKET, bucket_server.endpoint, "us-east-1")
    client = make_client(address, WRITING, credentials=KEY)
    client.put("2026/rooms/hall.png", PNG)
    client.put("2025/hall.png", PNG)
    originals = gateways(source(bucket_server, monkeypatch, KEY.secret_key))

    statuses = []
    for body in (None, None, OTHER_PNG):
        if body:
            client.put("2026/rooms/hall.png", body)
        statuses.append((await originals.acquire("archive:rooms/hall.png", "default")).status)
    assert statuses == [
        "darkroom-source; fwd=uri-miss; fwd-status=200; stored",
        "darkroom-source; fwd=stale; fwd-status=304",
        "darkroom-source; fwd=stale; fwd-status=200; stored",
    ]
    for key in ("nothing.png", "2025/hall.png"):
        with pytest.raises(NotFound):
            await originals.acquire(f"archive:{key}", "default")


async def test_a_refused_key_is_a_failure_that_names_no_secret(
    bucket_server: S3Server, gateways: MakeOriginals, monkeypatch: pytest.MonkeyPatch
) -> None:
    originals = gateways(source(bucket_server, monkeypatch, "another-secret"))
    with pytest.raises(SourceUnavailable) as failed:
        await originals.acquire("archive:rooms/other.png", "default")
    assert failed.value.detail == "The bucket refuses this key."
