"""The other workers: requests for a format that this worker lacks go to one that has it.

Each worker announces its formats with its heartbeat, and a request tells those that it needs.
"""

import random
from typing import Any

from faststream.message import StreamMessage

from contracts.errors import InvalidOperation, Unavailable, UnsupportedFormat
from contracts.formats import Format
from contracts.imaging import RENDER, Inspect, Render, Rendered
from contracts.methods import Transport
from services.imaging.engine.formats import plugins
from services.runtime.liveness.heartbeat import Report, Workers
from services.runtime.rpc.addresses import own_channel
from services.runtime.rpc.broker import Broker
from services.runtime.rpc.handing_on import HANDED_ON, hand_back, hand_on, is_handed_on
from services.runtime.storage.images import Images

_MISSING = frozenset(Format) - frozenset(plugins.INSTALLED)
_FORMATS = "formats"
_FOR_A_JOB = "x-for-a-job"


def announcement() -> Report:
    """Return the field of a worker's report that names its formats."""
    return {_FORMATS: [format.value for format in plugins.INSTALLED]}


def is_for_a_job(message: StreamMessage[Any]) -> bool:
    """Return whether a request is the render of another worker's job."""
    return _FOR_A_JOB in message.headers


class Peers:
    """The living workers that have the formats which this one lacks.

    Raises UnsupportedFormat if no living worker reads the source, and InvalidOperation if none has
    all the formats of the request.
    """

    def __init__(self, broker: Broker, images: Images) -> None:
        self._broker = broker
        self._workers = Workers(broker.redis)
        self._images = images

    async def formats_beyond(self, request: Render | Inspect) -> frozenset[Format]:
        """Return every format that the request needs if this worker lacks one of them, else none.

        The formats of watermarks are looked up, which a worker that has every format never does.
        """
        if not _MISSING:
            return frozenset()
        needed = set(request.formats())
        watermarks = request.pipeline.images if isinstance(request, Render) else ()
        if watermarks and (source := await self._images.find(request.source.key)):
            for key in watermarks:
                watermark = await self._images.find_in(source.project, key)
                if watermark is not None and watermark.blob.format is not None:
                    needed.add(watermark.blob.format)
        return frozenset(needed) if needed & _MISSING else frozenset()

    async def hand_on_if_lacking(
        self, request: Render | Inspect, message: StreamMessage[Any]
    ) -> None:
        """Return if this worker has every format of the request; else hand the request on.

        Raises HandedOn after that, and Unavailable if the other workers have just gone.
        """
        formats = await self.formats_beyond(request)
        # The engine refuses a request that was handed on and can't be done here either.
        if not formats or is_handed_on(message):
            return
        workers = await self._able(request, formats)
        await hand_on(message, workers, sender=self._broker.worker, redis=self._broker.redis)
        raise Unavailable("The only worker with this format has just stopped.", retry_after=2)

    async def hand_back(self, message: StreamMessage[Any]) -> bool:
        """Put a request back into its stream; return whether another worker will take it."""
        return await hand_back(message, worker=self._broker.worker, redis=self._broker.redis)

    async def render_for_job(
        self, request: Render, formats: frozenset[Format], *, timeout: float
    ) -> Rendered:
        """Have another worker render a variant of a job, after the requests that wait there.

        `formats` are those of `formats_beyond`. Raises what that worker raises, and as
        `Broker.request`.
        """
        worker = (await self._able(request, formats))[0]
        reply = await self._broker.request(
            request,
            own_channel(RENDER.address(Transport.CHANNEL), worker),
            headers={HANDED_ON: self._broker.worker, _FOR_A_JOB: "1"},
            timeout=timeout,
        )
        return Rendered.model_validate_json(reply.body)

    async def _able(self, request: Render | Inspect, formats: frozenset[Format]) -> list[str]:
        """Return the workers that have all these formats of the request, in random order."""
        reports = await self._workers.reports(RENDER.address(Transport.STREAM))
        announced = {name: _formats_of(report) for name, report in reports.items()}
        source = request.source.format
        if source and not any(source in had for had in announced.values()):
            raise UnsupportedFormat(f"No running worker reads {source.spec.title}.")
        able = [name for name, had in announced.items() if formats <= had]
        if not able:
            names = ", ".join(sorted(format.spec.title for format in formats))
            raise InvalidOperation(f"format: no running worker has all that this needs: {names}.")
        random.shuffle(able)
        return able


def _formats_of(report: Report) -> frozenset[str]:
    """Return the formats that a worker announced; none for one of an older version."""
    announced = report.get(_FORMATS)
    return frozenset(announced) if isinstance(announced, list) else frozenset()
