"""A client that disconnects: its render is cancelled in the worker."""

import asyncio

import httpx
import pytest
from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.types import Message

from services.gateway.http import disconnect
from services.gateway.http.disconnect import cancel_on_disconnect
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

    wait_until(lambda: gateway.output().count('"client disconnected"') > before, seconds=10)
    wait_until(lambda: busy(client) == 0, seconds=10)


class Client:
    """A client that leaves when it is told to."""

    def __init__(self) -> None:
        self.leaves = asyncio.Event()
        self.request = Request({"type": "http"}, self._receive)

    async def _receive(self) -> Message:
        await self.leaves.wait()
        return {"type": "http.disconnect"}


async def test_a_call_ends_with_its_client_and_its_task_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(disconnect, "_UNWATCHED", 0.01)
    client = Client()
    asyncio.get_running_loop().call_later(0.03, client.leaves.set)
    with pytest.raises(ClientDisconnect):
        await cancel_on_disconnect(client.request, asyncio.sleep(5))
    assert await cancel_on_disconnect(client.request, asyncio.sleep(0, "done")) == "done"


async def test_a_task_that_is_cancelled_by_another_one_is_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(disconnect, "_UNWATCHED", 0.0)
    task = asyncio.create_task(cancel_on_disconnect(Client().request, asyncio.sleep(5)))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def busy(client: httpx.Client) -> int:
    """Return the busy slots of the worker, by its last heartbeat."""
    [report] = client.get("/v1/system").json()["workers"].values()
    return int(report["busy"])
