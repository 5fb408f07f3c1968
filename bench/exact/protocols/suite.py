"""A running Darkroom for the judges of HTTP: Valkey, an imaging service and a gateway."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from PIL import Image

from tests.processes import Service, faststream, valkey

KEY = "the-key-of-the-operator-of-a-suite-for-judges"
"""A key that may do everything at a suite that asks for keys."""


@contextmanager
def running(*, with_keys: bool = False) -> Iterator[Service]:
    """Start all three, yield the gateway, and stop them."""
    asked = {"DARKROOM_ACCESS": "keys", "DARKROOM_ADMIN_KEY": KEY}
    with (
        valkey() as server,
        faststream("imaging", url := str(server.connection_url)),
        faststream("gateway", url, env=asked if with_keys else None) as gateway,
    ):
        yield gateway


def client_of(gateway: Service, *, key: str = "") -> httpx.Client:
    """Return a client of the gateway, which sends a key if there is one."""
    headers = {"Authorization": f"Bearer {key}"} if key else None
    return httpx.Client(base_url=gateway.url, timeout=30, trust_env=False, headers=headers)


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
