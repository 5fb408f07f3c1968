"""Objects that somebody else has put into a bucket, read by their keys."""

import pytest

from bench.s3_servers import BUCKET, CREDENTIALS, S3Server
from contracts.errors import Unavailable
from services.runtime.storage.stores.bucket_clients import WRITING, Credentials, make_client
from services.runtime.storage.stores.objects import ObjectReader, Refused
from services.runtime.storage.stores.store import Missing
from services.runtime.store_address import StoreAddress

KEY = Credentials(CREDENTIALS["AWS_ACCESS_KEY_ID"], CREDENTIALS["AWS_SECRET_ACCESS_KEY"])


def address(server: S3Server, prefix: str = "") -> StoreAddress:
    return StoreAddress("s3", prefix, BUCKET, server.endpoint, "us-east-1")


@pytest.mark.parametrize("kind", ["moto_server", "nanio_server"])
def test_an_object_is_read_unless_it_is_unchanged(
    kind: str, request: pytest.FixtureRequest
) -> None:
    server: S3Server = request.getfixturevalue(kind)
    client = make_client(address(server), WRITING)
    client.put("photos/Küche 1.jpg", b"x" * 600_000)
    client.put("secret.jpg", b"secret")

    reader = ObjectReader(address(server, "photos"), KEY)
    opened = reader.open("Küche 1.jpg", "")
    assert opened is not None
    assert (opened.size, b"".join(opened.pieces)) == (600_000, b"x" * 600_000)
    assert reader.open("Küche 1.jpg", opened.etag) is None
    client.put("photos/Küche 1.jpg", b"y")
    changed = reader.open("Küche 1.jpg", opened.etag)
    assert changed is not None
    assert b"".join(changed.pieces) == b"y"
    for key in ("nothing.jpg", "secret.jpg"):
        with pytest.raises(Missing):
            reader.open(key, "")


def test_a_wrong_key_is_refused_without_a_word_of_it(nanio_server: S3Server) -> None:
    reader = ObjectReader(address(nanio_server), Credentials("darkroom", "wrong-secret"))
    with pytest.raises(Refused) as refused:
        reader.open("a.jpg", "")
    assert "secret" not in f"{refused.value} {refused.value.__cause__} {reader!r} {KEY!r}"


def test_a_bucket_that_is_not_there_is_unavailable(moto_server: S3Server) -> None:
    nowhere = StoreAddress("s3", "", "nowhere", moto_server.endpoint, "us-east-1")
    with pytest.raises(Unavailable, match="does not exist"):
        ObjectReader(nowhere, KEY).open("a.jpg", "")
