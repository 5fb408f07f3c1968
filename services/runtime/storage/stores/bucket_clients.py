"""Clients of a bucket, with limits for every wait."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, TypedDict

from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, S3Store

from services.runtime.storage.stores.bucket_failures import reason_of
from services.runtime.store_address import StoreAddress

if TYPE_CHECKING:
    from obstore.store import AzureConfig, ClientConfig, ObjectStore, RetryConfig, S3Config

# A bucket that is away fails within seconds. A read may take long in all, as its reader may be
# slow, but not a silence of the server. A write has to send a part within its time.
READING: "ClientConfig" = {"connect_timeout": "3s", "read_timeout": "5s", "timeout": "1h"}
WRITING: "ClientConfig" = {"connect_timeout": "3s", "timeout": "20s"}
RETRIES: "RetryConfig" = {
    "max_retries": 3,
    "retry_timeout": timedelta(seconds=5),
    "backoff": {
        "init_backoff": timedelta(milliseconds=100),
        "max_backoff": timedelta(seconds=1),
        "base": 2,
    },
}


@dataclass(frozen=True)
class Credentials:
    """A key of S3, in place of the one in the usual variables."""

    access_key: str
    secret_key: str = field(repr=False)


class _Common(TypedDict):
    prefix: str | None
    client_options: "ClientConfig"
    retry_config: "RetryConfig"


def make_client(
    address: StoreAddress,
    limits: "ClientConfig",
    *,
    many: bool = True,
    credentials: Credentials | None = None,
) -> "ObjectStore":
    """Make the client of a bucket; no request is sent. Raises ValueError if that can't be done.

    Without `many`, a request deletes one object. `credentials` are for S3 alone.
    """
    common: _Common = {
        "prefix": address.path or None,
        "client_options": (
            {"allow_http": True, **limits} if address.endpoint.startswith("http://") else limits
        ),
        "retry_config": RETRIES,
    }
    try:
        if address.scheme == "gs":
            return GCSStore(address.bucket, **common)
        if address.scheme == "az":
            azure: AzureConfig = {"container_name": address.bucket}
            if address.account:
                azure["account_name"] = address.account
            if address.endpoint:
                azure["endpoint"] = address.endpoint
            return AzureStore(config=azure, **common)
        s3: S3Config = {
            "virtual_hosted_style_request": not address.path_style,
            "disable_bulk_delete": not many,
        }
        if address.region:
            s3["region"] = address.region
        if credentials:
            s3["access_key_id"] = credentials.access_key
            s3["secret_access_key"] = credentials.secret_key
        if address.endpoint:
            s3["endpoint"] = _s3_endpoint(address)
        return S3Store(address.bucket, config=s3, **common)
    except BaseError as exc:
        raise ValueError(f"DARKROOM_STORE: {address} can't be used ({reason_of(exc)}).") from None


def _s3_endpoint(address: StoreAddress) -> str:
    """Return the endpoint, with the bucket in its host unless the bucket is in the path."""
    if address.path_style:
        return address.endpoint
    return address.endpoint.replace("://", f"://{address.bucket}.", 1)
