"""The hub passes each event to every subscription of its job, once and in order."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from contracts.jobs import JobEvent, JobState
from services.gateway.live.hub import LiveHub
from services.gateway.settings import GatewaySettings

JOB = "f" * 32


class Records:
    """Jobs whose last event is always `queued`, at 5-0."""

    async def last_event(self, job_id: str) -> JobEvent:
        return event_at("5-0", JobState.QUEUED).model_copy(update={"job": job_id})

    async def events(self, job_id: str, after: str) -> list[JobEvent]:
        return []


def hub_on(records: Any, **settings: Any) -> LiveHub:
    return LiveHub(records, GatewaySettings(**settings))


def event_at(id: str, state: JobState) -> JobEvent:
    return JobEvent(id=id, job=JOB, state=state, done=0, total=10, at=datetime.now(UTC))


async def test_an_event_that_the_client_has_received_is_not_sent_again() -> None:
    """A client resumes after 5-0, which this process's reader has yet to read."""
    hub = hub_on(Records())
    with hub.subscription() as subscription:
        await hub.watch(subscription, JOB, after="5-0")
        hub.on_event(event_at("5-0", JobState.QUEUED))
        hub.on_event(event_at("6-0", JobState.RUNNING))
        assert (await subscription.next()).id == "6-0"


async def test_a_subscription_is_forgotten_when_it_ends() -> None:
    hub = hub_on(Records())
    with hub.subscription() as subscription:
        await hub.watch(subscription, JOB)
        assert list(hub._subscriptions) == [JOB]

    assert not hub._subscriptions


async def test_a_full_queue_drops_the_subscription() -> None:
    hub = hub_on(Records(), max_backlog=3)
    with hub.subscription() as subscription:
        await hub.watch(subscription, JOB)
        for number in range(10):
            assert subscription.dropped.is_set() is (number > 2)
            hub.on_event(event_at(f"6-{number}", JobState.RUNNING))


async def test_a_gap_in_the_stream_drops_every_subscription() -> None:
    hub = hub_on(Records())
    with hub.subscription() as subscription:
        await hub.watch(subscription, JOB)
        hub.on_gap()
        assert subscription.dropped.is_set()


async def test_waiting_for_an_end_stops_at_its_time_limit() -> None:
    hub = hub_on(Records())

    assert not await hub.wait_for_end(JOB, within=0.01)
    asyncio.get_running_loop().call_later(0.01, hub.on_event, event_at("6-0", JobState.SUCCEEDED))
    assert await hub.wait_for_end(JOB, within=5)
