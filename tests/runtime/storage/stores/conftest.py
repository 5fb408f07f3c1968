"""The stores under test: a folder, and buckets on real servers."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from bench.s3_servers import CREDENTIALS, Moto, Nanio, S3Server
from services.runtime.storage.stores.disk import DiskStore
from services.runtime.storage.stores.store import Store
from services.runtime.storage.stores.urls import store_at
from services.runtime.store_address import parse_store
from tests.s3_needed import skip_without_s3
from tests.small_disk import disk_of

_prefixes = count()


@pytest.fixture(scope="session")
def s3() -> None:
    """Skip the test if the servers are not installed; `make exact` and .ci/run install them."""
    skip_without_s3()


@pytest.fixture(scope="session")
def moto_server(s3: None) -> Iterator[S3Server]:
    with Moto() as server:
        yield server


@pytest.fixture(scope="session")
def nanio_server(s3: None) -> Iterator[S3Server]:
    with Nanio() as server:
        yield server


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


def store_on(server: S3Server, cache: Path) -> Store:
    """Return an empty store: each has a prefix of its own."""
    url = server.store(f"test/{next(_prefixes)}")
    store = store_at(parse_store(url), cache=cache, limit=64 << 20)
    assert store is not None
    return store


@pytest.fixture
def one_mebibyte(tmp_path: Path) -> Iterator[Path]:
    """The folder of a disk of 1 MiB."""
    with disk_of(tmp_path / "small", mebibytes=1) as folder:
        yield folder


@pytest.fixture
def moto(moto_server: S3Server, tmp_path: Path) -> Store:
    return store_on(moto_server, tmp_path / "cache")


@pytest.fixture
def nanio(nanio_server: S3Server, tmp_path: Path) -> Store:
    return store_on(nanio_server, tmp_path / "cache")


@pytest.fixture
def disk(tmp_path: Path) -> DiskStore:
    return DiskStore(tmp_path / "store")


@pytest.fixture(params=["disk", "moto", "nanio"])
def store(request: pytest.FixtureRequest) -> Store:
    """Each kind of store, empty."""
    store: Store = request.getfixturevalue(request.param)
    return store
