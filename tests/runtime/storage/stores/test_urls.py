"""Stores by their URLs, and refused URLs with a sentence on how to write them."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from services.runtime.settings import RuntimeSettings
from services.runtime.storage.stores.urls import make_store
from services.runtime.store_address import StoreAddress, parse_store


def test_a_folder_is_a_store(tmp_path: Path) -> None:
    store = make_store(RuntimeSettings(store=f"file://{tmp_path}/a%20b/"))

    assert store is not None
    assert store.name == "disk"
    assert store.scratch.is_relative_to(tmp_path / "a b")


@pytest.mark.parametrize("url", ["redis:", None])
def test_redis_is_no_store(url: str | None) -> None:
    assert make_store(RuntimeSettings(store=url)) is None


def test_the_parts_of_a_bucket_are_found() -> None:
    url = "s3://photos/a/b/?endpoint=http://127.0.0.1:9000&region=eu-1&path_style=false"

    address = parse_store(url)

    assert address == StoreAddress(
        "s3", "a/b", "photos", "http://127.0.0.1:9000", "eu-1", path_style=False
    )
    assert str(address) == "s3://photos/a/b?endpoint=http://127.0.0.1:9000"


@pytest.mark.parametrize(
    ("url", "how"),
    [
        ("/var/lib/darkroom", "write file:///absolute/path"),
        ("http://example.com/bucket", "write file:///absolute/path"),
        ("redis://127.0.0.1:6379", "write file:///absolute/path"),
        ("file://var/lib", "three slashes"),
        ("file:///", "three slashes"),
        ("s3://", "write it as s3://bucket/prefix"),
        ("s3://bucket/../out", "plain names"),
        ("s3://bucket?endpont=x", "endpoint, path_style, region"),
        ("s3://bucket?endpoint", "write file:///absolute/path"),
        ("s3://bucket?endpoint=example.com", "write the endpoint as"),
        ("s3://bucket?path_style=perhaps", "path_style=true"),
        ("gs://bucket?region=x", "gs:// takes these options: none"),
        ("s3://key:secret@bucket", "write no credentials"),
        ("s3://bucket?endpoint=http://key:secret@host", "write the endpoint as"),
    ],
)
def test_a_url_that_is_no_store_is_refused_with_a_sentence(url: str, how: str) -> None:
    with pytest.raises(ValidationError, match=how) as caught:
        RuntimeSettings(store=url)

    assert "secret" not in str(caught.value)


def test_a_folder_that_can_not_be_made_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ValueError, match=r"can't be made \(Not a directory\): make it"):
        make_store(RuntimeSettings(store=f"file://{tmp_path}/file/store"))
