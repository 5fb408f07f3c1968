"""A client that disconnects: its render is cancelled in the worker."""

import httpx
import pytest

from tests.gateway.raw import connected
from tests.imaging.pictures import encoded, scenery
from tests.processes import Service, wait_until

BIG = encoded(scenery(3000, 2000), "PNG", compress_level=1)
LONG = "&".join(["op=blur:90"] * 32)  # half a minute and more


@pytest.mark.parametrize("transport", ["channel", "list", "stream"])
def test_a_render_is_cancelled_when_its_client_disconnects(
    gateway: Service, client: httpx.Client, transport: str
) -> None:
    before = gateway.output().count('"client disconnected"')
    with connected(gateway.url) as sock:
        head = f"POST /v1/render?{LONG}&timeout=50&transport={transport} HTTP/1.1\r\n"
        sock.sendall(f"{head}Host: localhost\r\nContent-Length: {len(BIG)}\r\n\r\n".encode() + BIG)
        wait_until(lambda: busy(client) == 1, seconds=10)

    wait_until(lambda: gateway.output().count('"client disconnected"') > before, seconds=3)
    wait_until(lambda: busy(client) == 0, seconds=5)


def busy(client: httpx.Client) -> int:
    """Return the busy slots of the worker, by its last heartbeat."""
    [report] = client.get("/v1/system").json()["workers"].values()
    return int(report["busy"])
