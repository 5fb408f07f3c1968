"""Follow a job to its end with a client for Server-Sent Events or WebSockets.

The arguments are the client, the gateway's URL, the job, and the id of the last event or "". Writes
the data of each event as a line.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable

import httpx

_OPEN = ("queued", "running")


async def by_httpx_sse(gateway: str, job: str, after: str) -> AsyncIterator[str]:
    """Yield the data of each event, received by httpx-sse."""
    from httpx_sse import aconnect_sse

    headers = {"Last-Event-ID": after} if after else {}
    async with httpx.AsyncClient(base_url=gateway, timeout=20) as client:
        path = f"/v1/jobs/{job}/events"
        async with aconnect_sse(client, "GET", path, headers=headers) as source:
            async for event in source.aiter_sse():
                assert (event.event, event.id) == ("job", json.loads(event.data)["id"])
                yield event.data


async def by_aiohttp_sse_client(gateway: str, job: str, after: str) -> AsyncIterator[str]:
    """Yield the data of each event, received by aiohttp-sse-client2."""
    from aiohttp_sse_client2.client import EventSource

    headers = {"Last-Event-ID": after} if after else {}
    async with EventSource(f"{gateway}/v1/jobs/{job}/events", headers=headers) as source:
        async for event in source:
            assert (event.type, event.last_event_id) == ("job", json.loads(event.data)["id"])
            yield event.data


async def by_websocket_client(gateway: str, job: str, after: str) -> AsyncIterator[str]:
    """Yield each message, received by websocket-client."""
    import websocket

    socket = websocket.create_connection(gateway.replace("http", "ws") + "/v1/live", timeout=20)
    socket.send(json.dumps({"watch": [job], **({"after": after} if after else {})}))
    while True:
        yield socket.recv()


CLIENTS: dict[str, Callable[[str, str, str], AsyncIterator[str]]] = {
    "httpx-sse": by_httpx_sse,
    "aiohttp-sse-client2": by_aiohttp_sse_client,
    "websocket-client": by_websocket_client,
}


async def main(client: str, gateway: str, job: str, after: str) -> None:
    """Write the data of each event, until the job has ended."""
    async with asyncio.timeout(20):
        async for data in CLIENTS[client](gateway, job, after):
            sys.stdout.write(data + "\n")
            if json.loads(data)["state"] not in _OPEN:
                return


asyncio.run(main(*sys.argv[1:]))
