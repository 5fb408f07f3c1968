"""The hub passes each event to every subscription of its job, once and in order."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from contracts.access.keys import DEFAULT_PROJECT
from contracts.errors import Overloaded
from contracts.jobs import JobEvent, JobState
from services.gateway.dependencies import Dependencies
from services.gateway.live.hub import LiveHub
from services.gateway.routes.events import EventStream
from services.gateway.settings import GatewaySettings
from tests.processes import until

JOB, OTHER, UNKNOWN = "f" * 32, "e" * 32, "d" * 32


class Records:
    """Jobs whose last event is always `queued`, at 5-0, except an unknown one."""

    async def last_events(self, project: str, job_ids: Sequence[str]) -> dict[str, JobEvent]:
        last = event_at("5-0", JobState.QUEUED)
        return {job: last.model_copy(update={"job": job}) for job in job_ids if job != UNKNOWN}

    async def events(self, job_ids: Sequence[str], after: str) -> list[JobEvent]:
        return []

    async def latest_event(self) -> str | None:
        return "5-0"


def hub_on(records: Any, **settings: Any) -> LiveHub:
    return LiveHub(records, GatewaySettings(**settings))


def event_at(id: str, state: JobState) -> JobEvent:
    return JobEvent(id=id, job=JOB, state=state, done=0, total=10, at=datetime.now(UTC))


async def test_an_event_that_the_client_has_received_is_not_sent_again() -> None:
    """A client resumes after 5-0, which this process's reader has yet to read."""
    hub = hub_on(Records())
    with hub.subscription(DEFAULT_PROJECT) as subscription:
        await hub.watch(subscription, JOB, after="5-0")
        hub.on_event(event_at("5-0", JobState.QUEUED))
        hub.on_event(event_at("6-0", JobState.RUNNING))
        assert (await subscription.next()).id == "6-0"


async def test_a_subscription_is_forgotten_when_it_ends() -> None:
    hub = hub_on(Records())
    with hub.client(DEFAULT_PROJECT) as subscription:
        await hub.watch(subscription, JOB, UNKNOWN, JOB)
        hub.on_event(event_at("6-0", JobState.RUNNING))
        assert list(hub._subscriptions) == [JOB]
        assert (hub._clients, hub._watched, hub._held) == (1, 1, 4)

    assert not hub._subscriptions
    assert (hub._all, hub._clients, hub._watched, hub._held) == (set(), 0, 0, 0)


async def test_a_client_that_leaves_a_stream_of_events_leaves_no_task() -> None:
    parts = {"live": hub_on(Records()), "settings": GatewaySettings(), "shutdown": asyncio.Event()}
    before = asyncio.all_tasks()
    has_event = asyncio.Event()

    async def send(message: Any) -> None:
        if message.get("body"):
            has_event.set()

    async def receive() -> Any:
        await has_event.wait()
        return {"type": "http.disconnect"}

    stream = EventStream(DEFAULT_PROJECT, JOB, None, cast(Dependencies, SimpleNamespace(**parts)))
    await stream({"type": "http", "asgi": {"spec_version": "2.3"}}, receive, send)
    await until(lambda: asyncio.all_tasks() == before)


async def test_a_full_queue_drops_the_subscription() -> None:
    """The event with which it began does not count."""
    hub = hub_on(Records(), max_backlog=3)
    with hub.subscription(DEFAULT_PROJECT) as subscription:
        await hub.watch(subscription, JOB)
        for number in range(10):
            assert subscription.dropped.is_set() is (number > 3)
            hub.on_event(event_at(f"6-{number}", JobState.RUNNING))


async def test_a_gap_in_the_stream_drops_every_subscription() -> None:
    hub = hub_on(Records())
    with hub.subscription(DEFAULT_PROJECT) as subscription:
        await hub.watch(subscription, JOB)
        hub.on_gap()
        assert subscription.dropped.is_set()


async def test_waiting_for_an_end_stops_at_its_time_limit() -> None:
    hub = hub_on(Records())

    assert not await hub.wait_for_end(DEFAULT_PROJECT, JOB, within=0.01)
    asyncio.get_running_loop().call_later(0.01, hub.on_event, event_at("6-0", JobState.SUCCEEDED))
    assert await hub.wait_for_end(DEFAULT_PROJECT, JOB, within=5)


async def test_every_client_and_every_watched_job_counts_for_all() -> None:
    hub = hub_on(Records(), max_live=1, max_watched_in_all=2)
    with hub.client(DEFAULT_PROJECT) as subscription:
        with pytest.raises(Overloaded), hub.client(DEFAULT_PROJECT):
            pass
        await hub.watch(subscription, JOB, OTHER)
        await hub.watch(subscription, JOB, OTHER, JOB)
        with pytest.raises(Overloaded):
            await hub.watch(subscription, "a" * 32)
        assert await hub.wait_for_end(DEFAULT_PROJECT, "a" * 32, within=5) is False
    with hub.client(DEFAULT_PROJECT) as subscription:
        await hub.watch(subscription, UNKNOWN, "a" * 32)
        await hub.watch(subscription, "b" * 32)


async def test_too_many_events_in_memory_drop_the_client_with_the_most() -> None:
    hub = hub_on(Records(), max_events=10)
    with hub.client(DEFAULT_PROJECT) as slow, hub.client(DEFAULT_PROJECT) as quick:
        await hub.watch(slow, JOB)
        await hub.watch(quick, JOB)
        for number in range(20):
            hub.on_event(event_at(f"6-{number}", JobState.RUNNING))
            while quick.held:
                await quick.next()
        assert (slow.dropped.is_set(), quick.dropped.is_set()) == (True, False)
        assert (slow.held, hub._held) == (0, 0)


async def test_past_events_that_no_memory_holds_drop_the_client() -> None:
    hub = hub_on(Records(), max_events=120)
    with hub.client(DEFAULT_PROJECT) as greedy, hub.client(DEFAULT_PROJECT) as modest:
        await hub.watch(modest, JOB)
        await hub.watch(greedy, *(f"{number:032x}" for number in range(1000)))
        assert (greedy.dropped.is_set(), modest.dropped.is_set()) == (True, False)
    assert hub._held == 0


async def test_clients_take_turns_to_read_the_past_of_many_jobs_and_few_jobs_take_none() -> None:
    waiting, go_on = asyncio.Event(), asyncio.Event()
    many = [f"{number:032x}" for number in range(51)]
    asked: list[int] = []

    class Slow(Records):
        async def last_events(self, project: str, job_ids: Sequence[str]) -> dict[str, JobEvent]:
            asked.append(len(job_ids))
            if len(job_ids) == 50:
                waiting.set()
                await go_on.wait()
            return await super().last_events(project, job_ids)

    hub = hub_on(Slow())
    with (
        hub.client(DEFAULT_PROJECT) as one,
        hub.client(DEFAULT_PROJECT) as two,
        hub.client(DEFAULT_PROJECT) as three,
    ):
        first = asyncio.create_task(hub.watch(one, *many))
        await waiting.wait()
        second = asyncio.create_task(hub.watch(two, *many))
        await hub.watch(three, JOB, OTHER)
        assert asked == [50, 2]
        go_on.set()
        await asyncio.gather(first, second)
        assert asked[2:] == [1, 50, 1]


@pytest.mark.parametrize("is_early", [True, False])
@pytest.mark.parametrize("after", [None, "1-0"])
async def test_many_jobs_are_told_in_the_order_of_their_events(
    after: str | None, is_early: bool
) -> None:
    """Two jobs change while the past is read; this process's reader is early or late with it."""
    many = [f"{number:032x}" for number in range(51)]

    def changed(id: str, job: str) -> JobEvent:
        return event_at(id, JobState.RUNNING).model_copy(update={"job": job})

    class Changing(Records):
        """The first and the last job change after the first 50 jobs were read."""

        async def last_events(self, project: str, job_ids: Sequence[str]) -> dict[str, JobEvent]:
            if many[0] not in job_ids and is_early:
                hub.on_event(changed("6-0", many[0]))
            last = await super().last_events(project, job_ids)
            return last | {job: changed("7-0", job) for job in job_ids if job == many[-1]}

        async def events(self, job_ids: Sequence[str], after: str) -> list[JobEvent]:
            queued = [
                event for event in (await super().last_events(DEFAULT_PROJECT, job_ids)).values()
            ]
            return queued + [changed("7-0", job) for job in job_ids if job == many[-1]]

    hub = hub_on(Changing())
    with hub.client(DEFAULT_PROJECT) as subscription:
        await hub.watch(subscription, *many, after=after)
        if not is_early:
            hub.on_event(changed("6-0", many[0]))
        hub.on_event(changed("7-0", many[-1]))
        ids = [(await subscription.next()).id for _ in range(subscription.held)]
        assert ids[-2:] == ["6-0", "7-0"]
        assert set(ids[:-2]) == {"5-0"}


async def test_a_client_reads_its_events_before_it_gets_more_old_ones() -> None:
    hub = hub_on(Records(), max_backlog=3)
    with hub.client(DEFAULT_PROJECT) as subscription:
        await hub.watch(subscription, JOB, OTHER, JOB, OTHER)
        more = asyncio.create_task(hub.watch(subscription, JOB))
        await asyncio.sleep(0)
        assert subscription.held == 4
        await subscription.next()
        await more
        assert subscription.held == 4


class NeverAsked(Records):
    async def last_events(self, project: str, job_ids: Sequence[str]) -> dict[str, JobEvent]:
        raise AssertionError("Redis is asked.")


async def test_a_job_that_this_gateway_has_just_accepted_is_watched_without_a_question() -> None:
    hub = hub_on(NeverAsked())
    with hub.recent.expect(DEFAULT_PROJECT, JOB):
        hub.on_event(event_at("5-0", JobState.QUEUED))
    with hub.client(DEFAULT_PROJECT) as subscription:
        await hub.watch(subscription, JOB)
        hub.on_event(event_at("6-0", JobState.RUNNING))
        hub.on_event(event_at("7-0", JobState.SUCCEEDED))
        ids = [(await subscription.next()).id for _ in range(3)]
        assert (ids, subscription.held) == (["5-0", "6-0", "7-0"], 0)


@pytest.mark.parametrize(
    "case", ["ended", "another project", "another job", "resumed", "unseen", "missed", "refused"]
)
async def test_redis_is_asked_about_any_other_job(case: str) -> None:
    hub = hub_on(Records())
    with (
        suppress(Overloaded),
        hub.recent.expect("shop" if case == "another project" else "default", JOB),
    ):
        if case != "unseen":
            hub.on_event(event_at("3-0", JobState.QUEUED))
        if case == "refused":
            raise Overloaded("Too many jobs.")
    if case == "ended":
        hub.on_event(event_at("4-0", JobState.SUCCEEDED))
    if case == "missed":
        hub.on_gap()
    jobs = [JOB, OTHER] if case == "another job" else [JOB]
    with hub.client("default") as subscription:
        await hub.watch(subscription, *jobs, after="2-0" if case == "resumed" else None)
        if case != "resumed":
            assert {(await subscription.next()).id for _ in jobs} == {"5-0"}
        assert subscription.held == 0


async def test_the_oldest_of_too_many_recent_jobs_is_forgotten() -> None:
    hub = hub_on(Records())
    for number in range(1001):
        job = f"{number:032x}"
        with hub.recent.expect(DEFAULT_PROJECT, job):
            hub.on_event(event_at("3-0", JobState.QUEUED).model_copy(update={"job": job}))
    first, second = f"{0:032x}", f"{1:032x}"
    assert hub.recent.last_events(DEFAULT_PROJECT, [first]) == []
    assert len(hub.recent.last_events(DEFAULT_PROJECT, [second])) == 1
