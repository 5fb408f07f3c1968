"""Renders and inspections: looked up, or done in the pool and stored."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from contracts.errors import Failure, Gone, ServiceError, StoreFull, Unavailable
from contracts.imaging import Blob, Inspect, Inspected, Render, Rendered
from services.imaging.engine.formats import plugins
from services.imaging.pool.departures import Depart
from services.imaging.pool.executor import CallTimes, Executor, Lend, Opening, Undone
from services.imaging.pool.messages import (
    MAX_IMAGES,
    Call,
    Corrupt,
    Heavy,
    Image,
    InspectCall,
    Made,
    OutcomeT,
    RenderCall,
)
from services.imaging.pool.verdicts import Need, Verdict, need_of_depth
from services.imaging.rendering.claims import Claim
from services.imaging.rendering.opened import is_inside, opening_of
from services.imaging.rendering.outcomes import Carry, Finished, Outcome, finished, in_order
from services.imaging.rendering.records import Records, look_at_image, look_up, lost_watermark
from services.imaging.settings import ImagingSettings
from services.runtime.redis.client import store_error
from services.runtime.redis.replies import FULL
from services.runtime.redis.scripts import FollowUp
from services.runtime.storage.images import Images
from services.runtime.storage.records import Judged, NewBlob, StoredBlob
from services.runtime.storage.renditions import Renditions

Result = Rendered | ServiceError | Heavy
_Done = tuple[list[Made | Undone | Heavy], CallTimes]
_Do = Callable[[RenderCall, Opening], Awaitable[_Done]]
"""Has the pool do a call."""

_AT_ONCE = CallTimes(queue_ms=0, work_ms=0)


@dataclass(frozen=True)
class _Storing:
    """The life of the results of a call, and what ends when one is stored."""

    ttl: int
    claim: Claim | None = None
    carry: Carry | None = None


class Renders:
    """Renders and inspects images. Raises what the storage raises, and as `Executor`."""

    def __init__(
        self, executor: Executor, images: Images, renditions: Renditions, settings: ImagingSettings
    ) -> None:
        self._executor = executor
        self._images = images
        self._renditions = renditions
        self._settings = settings

    @property
    def slots(self) -> int:
        """Return the number of renders that are done at once."""
        return self._executor.slots

    async def render(
        self,
        request: Render,
        *,
        timeout: float,
        lend: Lend,
        depart: Depart | None = None,
        claim: Claim | None = None,
        carry: Carry | None = None,
    ) -> tuple[Finished, CallTimes]:
        """Render for a client that waits, within `timeout` seconds.

        A result that has to be rendered waits for its `claim`, which ends when it is stored. The
        reply that `carry` makes leaves then. Raises the failure of the request, what `claim.taken`
        raises, and as `Executor.run`.
        """

        async def do(call: RenderCall, opening: Opening) -> _Done:
            if claim is not None:
                await claim.taken()
            return await self._executor.run(
                call, opening, timeout=timeout, lend=lend, depart=depart
            )

        storing = _Storing(self._settings.rendition_ttl, claim, carry)
        [outcome], times = await self._render([request], do, storing)
        return finished(outcome), times

    async def render_later(
        self,
        requests: Sequence[Render],
        *,
        timeout: float,
        on_start: Callable[[], None],
        on_end: Callable[[], None] = lambda: None,
        keep_source: bool = False,
    ) -> tuple[list[Result], CallTimes]:
        """Render for jobs: in order, and as many as there is time for, which is one at least.

        `on_end` is called when the pool has done all, before anything is stored. `keep_source` has
        its process keep the decoded source for the next render. Raises as `Executor.run_later`.
        """

        async def do(call: RenderCall, opening: Opening) -> _Done:
            done = await self._executor.run_later(call, opening, timeout=timeout, on_start=on_start)
            if len(done[0]) == len(call.requests):
                on_end()
            return done

        storing = _Storing(self._settings.job_ttl)
        outcomes, times = await self._render(requests, do, storing, keep_source=keep_source)
        return [one.rendered if isinstance(one, Finished) else one for one in outcomes], times

    async def render_heavy_later(
        self, request: Render, *, timeout: float, keep_source: bool = False
    ) -> tuple[Rendered, CallTimes]:
        """Do a heavy render for a job. Raises its failure, and as `Executor.run_heavy_later`."""
        do = partial(self._executor.run_heavy_later, timeout=timeout)
        storing = _Storing(self._settings.job_ttl)
        [outcome], times = await self._render([request], do, storing, keep_source=keep_source)
        return finished(outcome).rendered, times

    async def inspect(
        self, request: Inspect, *, timeout: float, depart: Depart | None = None
    ) -> tuple[Inspected, CallTimes]:
        """Inspect an image within `timeout` seconds. Raises as `render`."""
        image = await self._find(request.source, need_of_depth(request.depth))
        call = InspectCall(images=(_image(image),), request=request)
        done = await self._ask(call, [image], timeout, depart)
        outcome, times = done
        if isinstance(outcome, Verdict):
            await self._judge({request.source.key: outcome})
            raise outcome.failure.error()
        return outcome, times

    async def _find(self, image: Blob, need: Need) -> Judged:
        """Return an image that is there. Raises Gone, and what is known to be wrong with it."""
        records = await look_at_image(self._images, image)
        if failure := records.failure(image.key, need):
            raise failure
        return records.images[image.key]

    async def _ask(
        self,
        call: Call[OutcomeT],
        images: Sequence[Judged],
        timeout: float,
        depart: Depart | None = None,
    ) -> tuple[OutcomeT | Verdict, CallTimes]:
        """Have the pool do a call of one part, which is not heavy. Raises its failure."""
        opening = opening_of(self._images, images)
        [outcome], times = await self._executor.run(call, opening, timeout=timeout, depart=depart)
        if isinstance(outcome, Failure):
            raise outcome.error()
        if isinstance(outcome, Corrupt):
            [damaged] = [one.stored for one in images if one.stored.blob.key == outcome.corrupt]
            raise await self._damaged(damaged)
        assert not isinstance(outcome, Heavy)
        return outcome, times

    async def _render(
        self,
        requests: Sequence[Render],
        do: _Do,
        storing: _Storing,
        *,
        keep_source: bool = False,
    ) -> tuple[list[Outcome], CallTimes]:
        """Return an outcome of each request, up to the first that was not started."""
        named = [(request.result_key(), request) for request in requests]
        found = storing.claim.image if storing.claim else None
        records = await look_up(self._images, self._renditions, named, ttl=storing.ttl, found=found)
        results: dict[str, Outcome] = {}
        undone: dict[str, Render] = {}
        images: dict[str, Judged] = {}
        for key, request in named:
            known = records.result(request, key)
            if known is not None:
                results[key] = Finished(known) if isinstance(known, Rendered) else known
                continue
            its_own = {one: records.images[one] for one in request.images}
            if len(images | its_own) > MAX_IMAGES:
                break
            images |= its_own
            undone[key] = request
        times = _AT_ONCE
        if undone:
            call = RenderCall(
                requests=tuple(undone.values()),
                images=tuple(map(_image, images.values())),
                keep_source=keep_source,
                budget=self._settings.heavy_seconds,
            )
            outcomes, times = await do(call, opening_of(self._images, list(images.values())))
            done = dict(zip(undone, outcomes, strict=False))
            results |= await self._results(undone, done, records, times, storing)
        return in_order([key for key, _ in named], results), times

    async def _results(
        self,
        requests: Mapping[str, Render],
        outcomes: Mapping[str, Made | Undone | Heavy],
        records: Records,
        times: CallTimes,
        storing: _Storing,
    ) -> dict[str, Outcome]:
        """Store renditions and verdicts, and return the results, all by the rendition's key."""
        results: dict[str, Outcome] = {}
        verdicts: dict[str, Verdict] = {}
        follow_up: FollowUp | None = None
        new: defaultdict[str, list[NewBlob]] = defaultdict(list)
        for key, outcome in outcomes.items():
            request = requests[key]
            match outcome:
                case Made():
                    rendered = _rendered_of(key, outcome)
                    blob = NewBlob(rendered.blob, outcome.data, rendered, request.images)
                    new[records.images[request.source.key].stored.project].append(blob)
                    results[key] = stored = Finished(rendered, outcome.data)
                    if storing.carry is not None:
                        follow_up = storing.carry(stored, times)
                case Failure():
                    results[key] = outcome.error()
                case Verdict():
                    verdicts[request.source.key] = outcome
                    results[key] = outcome.failure.error()
                case Corrupt():
                    damaged = outcome.corrupt
                    failure = await self._damaged(records.images[damaged].stored)
                    if isinstance(failure, Gone) and damaged != request.source.key:
                        failure = lost_watermark(damaged)
                    results[key] = failure
                case Heavy():
                    results[key] = outcome
        await self._judge(verdicts)
        return results | await self._keep(new, storing, follow_up)

    async def _keep(
        self,
        new: Mapping[str, Sequence[NewBlob]],
        storing: _Storing,
        follow_up: FollowUp | None,
    ) -> dict[str, Outcome]:
        """Store the renditions of each project; return the failures of those that are not kept."""
        failures: dict[str, Outcome] = {}
        ttl, held = storing.ttl, storing.claim.held if storing.claim else None
        for project, some in new.items():
            failure: ServiceError = Gone("The image was deleted while it was rendered.")
            try:
                lost = await self._renditions.keep(
                    some, ttl=ttl, project=project, claim=held, follow_up=follow_up
                )
            except StoreFull as exc:
                failure, lost = exc, {one.blob.key for one in some}
            except FULL as exc:
                failure, lost = store_error(exc), {one.blob.key for one in some}
            failures |= dict.fromkeys(lost, failure)
        return failures

    async def _judge(self, verdicts: Mapping[str, Verdict]) -> None:
        # A store that is full has no room for a verdict; the request has its failure.
        with suppress(*FULL):
            for key, verdict in verdicts.items():
                await self._images.judge(key, verdict, capability=plugins.capability())

    async def _damaged(self, stored: StoredBlob) -> ServiceError:
        if not await self._images.report_damaged(stored, "a pool process got other bytes"):
            return Unavailable("A copy of this image was damaged; try again.", retry_after=1)
        return Gone("The stored bytes of this image are damaged; upload it again.")


def _image(judged: Judged) -> Image:
    stored = judged.stored
    return Image(
        key=stored.blob.key,
        size=stored.blob.bytes,
        digest=stored.digest,
        inside=is_inside(judged),
    )


def _rendered_of(key: str, made: Made) -> Rendered:
    return Rendered(
        blob=Blob(key=key, media_type=made.format.spec.media_type, bytes=made.size),
        width=made.width,
        height=made.height,
        decode_ms=made.decode_ms,
        operations_ms=made.operations_ms,
        encode_ms=made.encode_ms,
    )
