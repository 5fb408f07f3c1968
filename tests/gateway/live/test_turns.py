"""Few events leave together; while many are sent, other tasks have their turns."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from starlette.websockets import WebSocketDisconnect

from contracts.access.keys import DEFAULT_PROJECT
from contracts.jobs import JobEvent, JobState
from services.gateway.live.hub import LiveHub
from services.gateway.routes.live import serve
from services.gateway.server.websocket import TEXTS
from services.gateway.settings import GatewaySettings


class Records:
    """Jobs whose last event is always `queued`."""

    async def last_events(self, project: str, job_ids: Sequence[str]) -> dict[str, JobEvent]:
        now = datetime.now(UTC)
        return {
            job: JobEvent(id="5-0", job=job, state=JobState.QUEUED, done=0, total=1, at=now)
            for job in job_ids
        }

    async def latest_event(self) -> str | None:
        return "5-0"


class Client:
    """Watches `number` jobs, takes each event at once, and leaves after one of each job."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._asked = False
        self.turns_of_others = 0
        self.turns: list[int] = []  # of others before each event

    async def receive_text(self) -> str:
        if self._asked:
            await asyncio.Event().wait()
        self._asked = True
        return json.dumps({"watch": [f"{job:032x}" for job in range(self._number)]})

    async def send(self, message: Any) -> None:
        self.turns += [self.turns_of_others] * len(message[TEXTS])
        if len(self.turns) == self._number:
            raise WebSocketDisconnect

    async def count_turns(self) -> None:
        while True:
            self.turns_of_others += 1
            await asyncio.sleep(0)


async def turns_while_sending(number: int) -> int:
    """Return the turns of another task from the first to the last of `number` events."""
    records: Any = Records()
    settings = GatewaySettings()
    client: Any = Client(number)
    counting = asyncio.create_task(client.count_turns())
    async with asyncio.timeout(5):
        await serve(client, LiveHub(records, settings), settings, DEFAULT_PROJECT)
    counting.cancel()
    with suppress(asyncio.CancelledError):
        await counting
    return int(client.turns[-1] - client.turns[0])


async def test_few_events_are_sent_in_one_turn() -> None:
    assert await turns_while_sending(10) == 0


async def test_other_tasks_run_while_many_events_are_sent() -> None:
    assert await turns_while_sending(500) >= 500 // 16
