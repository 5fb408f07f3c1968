"""Pass job events to the subscriptions of this process as they happen.

One reader per process follows the events' stream in Redis and calls `on_event`. A subscription
starts first and reads the job's earlier events then, so a job that has just ended is still
reported, and a client that resumes after an event receives each later one exactly once. A client
that is too slow is disconnected with a reason; no queue grows without a limit.

After a lost connection the reader continues with the last event that it had. Events that the
stream no longer held by then, or that Redis has lost, are gone for it: `on_gap` makes every client
reconnect and resume.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime

from contracts.errors import NotFound, Overloaded
from contracts.jobs import OPEN_STATES, JobEvent, JobState
from services.gateway.live.recent_jobs import RecentJobs
from services.gateway.live.subscription import START, Subscription, position_of
from services.gateway.settings import GatewaySettings
from services.runtime.jobs.store import Jobs

_JOBS_AT_ONCE = 50
"""Jobs whose events are read by one pipeline: about 2 ms until other tasks run again."""

_RETRY_AFTER = 5  # seconds


class LiveHub:
    """The subscriptions of this process, by the jobs that they watch.

    Three bounds hold for all of them together: `max_live` clients, `max_watched_in_all` jobs, and
    `max_events` in memory. Past the last one, the client with the most unsent events is dropped.
    """

    def __init__(self, jobs: Jobs, settings: GatewaySettings) -> None:
        self._jobs = jobs
        self._settings = settings
        self._subscriptions: defaultdict[str, set[Subscription]] = defaultdict(set)
        self._all: set[Subscription] = set()
        self._clients = 0
        self._watched = 0
        self._held = 0
        self.recent = RecentJobs()
        """The jobs that this gateway has accepted, whose clients will watch them in a moment."""
        # One client at a time reads the past of many jobs. Else all would hold theirs in memory
        # until the last one was read, and then send it at the same moment. A client with few jobs
        # does not wait behind them.
        self._turn = asyncio.Lock()

    def on_event(self, event: JobEvent) -> None:
        """Pass an event to every subscription of its job."""
        self.recent.on_event(event)
        for subscription in self._subscriptions.get(event.job, ()):
            subscription.on_event(event)

    def on_gap(self) -> None:
        """Drop every subscription: events were trimmed before this process read them, or lost."""
        self.recent.clear()
        for subscription in self._all:
            subscription.drop()

    @contextmanager
    def client(self, project: str) -> Iterator[Subscription]:
        """A subscription of a client that stays connected. Raises Overloaded for one too many."""
        if self._clients >= self._settings.max_live:
            raise Overloaded("Too many clients watch jobs.", retry_after=_RETRY_AFTER)
        self._clients += 1
        try:
            with self.subscription(project) as subscription:
                yield subscription
        finally:
            self._clients -= 1

    @contextmanager
    def subscription(self, project: str) -> Iterator[Subscription]:
        """A subscription without jobs, which `watch` adds; it ends with the context."""
        subscription = Subscription(project, self._settings.max_backlog, self._on_held)
        self._all.add(subscription)
        try:
            yield subscription
        finally:
            self._all.remove(subscription)
            subscription.drop()
            for job in list(subscription.jobs):
                self._unwatch(subscription, job)

    async def watch(self, subscription: Subscription, *jobs: str, after: str | None = None) -> None:
        """Add jobs to a subscription: first their past events, then each new one.

        The past is the last event of each job or, with `after`, every event later than that id. An
        unknown job, or one of another project, gets one event, a failure with the code `not_found`,
        and is not watched. Raises Overloaded when too many jobs are watched by all clients.
        """
        await subscription.wait_for_room()
        async with self._turn if len(jobs) > _JOBS_AT_ONCE else nullcontext():
            new = subscription.unwatched(jobs)
            if self._watched + len(new) > self._settings.max_watched_in_all:
                raise Overloaded("Too many jobs are watched.", retry_after=_RETRY_AFTER)
            self._watched += len(new)
            for job in new:
                subscription.jobs[job] = START
                self._subscriptions[job].add(subscription)
            await subscription.catch_up(self._past(subscription, jobs, after))

    async def wait_for_end(self, project: str, job: str, *, within: float) -> bool:
        """Wait until a job ends, at most `within` seconds; return whether its end was seen.

        An unknown job counts as ended. False also if the end was in a gap of the stream, and if too
        many jobs are watched.
        """
        with self.subscription(project) as subscription:
            try:
                # Outside the timeout: a wait of 0 seconds still notices that the job has ended.
                await self.watch(subscription, job)
                async with asyncio.timeout(within):
                    while (await subscription.next()).state in OPEN_STATES:
                        pass
            except (TimeoutError, Overloaded):
                return False
        return True

    async def _past(
        self, subscription: Subscription, jobs: Sequence[str], after: str | None
    ) -> AsyncIterator[list[JobEvent]]:
        """Yield the past events of some jobs after the others.

        The past of several jobs ends with the latest event of all jobs when the reading begins.
        Later ones come from this process's reader, in order. If jobs that are read last had such an
        event in their past, it could be sent before an earlier one of the first jobs, and a client
        that resumes after it would never receive that one.
        """
        if after is None and (known := self.recent.last_events(subscription.project, jobs)):
            yield known
            return
        latest = await self._jobs.latest_event() if len(jobs) > 1 else None

        def until_latest(events: Iterable[JobEvent]) -> list[JobEvent]:
            if latest is None:
                return list(events)
            return [event for event in events if position_of(event.id) <= position_of(latest)]

        for start in range(0, len(jobs), _JOBS_AT_ONCE):
            some = jobs[start : start + _JOBS_AT_ONCE]
            last = await self._jobs.last_events(subscription.project, some)
            unknown = [job for job in some if job not in last]
            for job in unknown:
                self._unwatch(subscription, job)
            yield [_unknown(job) for job in unknown]
            if after is None:
                yield until_latest(last[job] for job in some if job in last)
                continue
            for job, event in last.items():
                # The client may know events that this process's reader has yet to read. An id that
                # is later than the job's last event was never given out, and is ignored.
                if position_of(after) <= position_of(event.id):
                    subscription.skip_to(job, after)
            yield until_latest(await self._jobs.events([*last], after))

    def _unwatch(self, subscription: Subscription, job: str) -> None:
        if subscription.jobs.pop(job, None) is None:
            return
        self._watched -= 1
        watching = self._subscriptions[job]
        watching.discard(subscription)
        if not watching:
            del self._subscriptions[job]

    def _on_held(self, change: int) -> None:
        self._held += change
        if self._held > self._settings.max_events:
            max(self._all, key=lambda subscription: subscription.held).drop()


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
