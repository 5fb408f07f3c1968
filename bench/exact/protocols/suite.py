"""A running Darkroom for the judges of HTTP: Valkey, an imaging service and a gateway."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from PIL import Image

from tests.processes import Service, faststream, valkey


@contextmanager
def running() -> Iterator[Service]:
    """Start all three, yield the gateway, and stop them."""
    with (
        valkey() as server,
        faststream("imaging", url := str(server.connection_url)),
        faststream("gateway", url) as gateway,
    ):
        yield gateway


def client_of(gateway: Service) -> httpx.Client:
    """Return a client of the gateway."""
    return httpx.Client(base_url=gateway.url, timeout=30, trust_env=False)


def picture() -> bytes:
    """Return a small PNG with more than one colour."""
    image = Image.linear_gradient("L").resize((90, 60)).convert("RGB")
    written = io.BytesIO()
    image.save(written, "PNG")
    return written.getvalue()


def submit(client: httpx.Client, image: str, *, variants: int = 1) -> str:
    """Submit a job with equal variants; return its id."""
    new = {"source": {"image": image}, "variants": [{}] * variants}
    accepted = client.post("/v1/jobs", json=new)
    accepted.raise_for_status()
    return str(accepted.json()["id"])
