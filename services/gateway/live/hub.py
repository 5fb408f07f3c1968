"""Pass job events to the subscriptions of this process as they happen.

One reader per process follows the events' stream in Redis and calls `on_event`. A subscription
starts first and reads the job's earlier events then, so a job that has just ended is still
reported, and a client that resumes after an event receives each later one exactly once. A client
that is too slow is disconnected with a reason; no queue grows without a limit.

After a lost connection the reader continues with the last event that it had. Events that the
stream no longer held by then are gone for it: `on_gap` makes every client reconnect and resume.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from contracts.errors import NotFound
from contracts.jobs import OPEN_STATES, JobEvent, JobState
from services.gateway.live.subscription import Subscription, position_of
from services.gateway.settings import GatewaySettings
from services.runtime.jobs.store import Jobs


class LiveHub:
    """The subscriptions of this process, by the jobs that they watch."""

    def __init__(self, jobs: Jobs, settings: GatewaySettings) -> None:
        self._jobs = jobs
        self._max_backlog = settings.max_backlog
        self._subscriptions: defaultdict[str, set[Subscription]] = defaultdict(set)

    def on_event(self, event: JobEvent) -> None:
        """Pass an event to every subscription of its job."""
        for subscription in self._subscriptions.get(event.job, ()):
            subscription.on_event(event)

    def on_gap(self) -> None:
        """Drop every subscription: the stream was trimmed before this process read all of it."""
        for subscriptions in self._subscriptions.values():
            for subscription in subscriptions:
                subscription.dropped.set()

    @contextmanager
    def subscription(self) -> Iterator[Subscription]:
        """A subscription without jobs, which `watch` adds; it ends with the context."""
        subscription = Subscription(self._max_backlog)
        try:
            yield subscription
        finally:
            for job in subscription.jobs:
                self._subscriptions[job].discard(subscription)
                if not self._subscriptions[job]:
                    del self._subscriptions[job]

    async def watch(self, subscription: Subscription, *jobs: str, after: str | None = None) -> None:
        """Add jobs to a subscription: first their past events, then each new one.

        The past is the last event of each job or, with `after`, every event later than that id. An
        unknown job gets one event, a failure with the code `not_found`.
        """
        for job in jobs:
            subscription.jobs.add(job)
            self._subscriptions[job].add(subscription)
        await subscription.catch_up(self._past(subscription, jobs, after))

    async def wait_for_end(self, job: str, *, within: float) -> bool:
        """Wait until a job ends, at most `within` seconds; return whether its end was seen.

        An unknown job counts as ended. False also if the end was in a gap of the stream.
        """
        with self.subscription() as subscription:
            # Outside the timeout: a wait of 0 seconds still notices that the job has ended.
            await self.watch(subscription, job)
            try:
                async with asyncio.timeout(within):
                    while (await subscription.next()).state in OPEN_STATES:
                        pass
            except TimeoutError:
                return False
        return True

    async def _past(
        self, subscription: Subscription, jobs: Sequence[str], after: str | None
    ) -> list[JobEvent]:
        found = await asyncio.gather(*(self._past_of(subscription, job, after) for job in jobs))
        return [event for events in found for event in events]

    async def _past_of(
        self, subscription: Subscription, job_id: str, after: str | None
    ) -> list[JobEvent]:
        last = await self._jobs.last_event(job_id)
        if last is None:
            return [_unknown(job_id)]
        if after is None:
            return [last]
        # The client may know events that this process's reader has yet to read. An id that is later
        # than the job's last event was never given out, and is ignored.
        if position_of(after) <= position_of(last.id):
            subscription.skip_to(job_id, after)
        return await self._jobs.events(job_id, after)


def _unknown(job_id: str) -> JobEvent:
    unknown = NotFound("There is no job with this id; its record may have expired.")
    return JobEvent(
        job=job_id,
        state=JobState.FAILED,
        done=0,
        total=1,
        at=datetime.now(UTC),
        problem=unknown.failure(),
    )
