"""The stores under test: a folder, and buckets on real servers."""

from pathlib import Path

import pytest

from services.runtime.storage.stores.disk import DiskStore
from services.runtime.storage.stores.store import Store


@pytest.fixture
def disk(tmp_path: Path) -> DiskStore:
    return DiskStore(tmp_path / "store")


@pytest.fixture(params=["disk"])
def store(request: pytest.FixtureRequest) -> Store:
    """Each kind of store, empty."""
    store: Store = request.getfixturevalue(request.param)
    return store
