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
from services.runtime.rpc.handing_on import HANDED_ON, hand_on, is_handed_on

_INSTALLED = frozenset(plugins.INSTALLED)
_FORMATS = "formats"
_FOR_A_JOB = "x-for-a-job"


def announcement() -> Report:
    """Return the field of a worker's report that names its formats."""
    return {_FORMATS: [format.value for format in plugins.INSTALLED]}


def lacks_format(request: Render | Inspect) -> bool:
    """Return whether this worker lacks a format that the request needs."""
    return not request.formats() <= _INSTALLED


def is_for_a_job(message: StreamMessage[Any]) -> bool:
    """Return whether a request is the render of another worker's job."""
    return _FOR_A_JOB in message.headers


class Peers:
    """The living workers that have the formats which this one lacks.

    Every method raises UnsupportedFormat if no living worker reads the source, InvalidOperation if
    none that does writes the output, and Unavailable if the one that was chosen has just gone.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._workers = Workers(broker.redis)

    async def hand_on_if_lacking(
        self, request: Render | Inspect, message: StreamMessage[Any]
    ) -> None:
        """Return if this worker has every format of the request; else hand the request on.

        Raises HandedOn after that.
        """
        # The engine refuses a request that was handed on and can't be done here either.
        if not lacks_format(request) or is_handed_on(message):
            return
        workers = await self._able(request)
        await hand_on(message, workers, sender=self._broker.worker, redis=self._broker.redis)
        raise Unavailable("The only worker with this format has just stopped.", retry_after=2)

    async def render_for_job(self, request: Render, *, timeout: float) -> Rendered:
        """Have another worker render a variant of a job, after the requests that wait there.

        Raises what that worker raises, and as `Broker.request`.
        """
        worker = (await self._able(request))[0]
        reply = await self._broker.request(
            request,
            own_channel(RENDER.address(Transport.CHANNEL), worker),
            headers={HANDED_ON: self._broker.worker, _FOR_A_JOB: "1"},
            timeout=timeout,
        )
        return Rendered.model_validate_json(reply.body)

    async def _able(self, request: Render | Inspect) -> list[str]:
        """Return the workers that have every format of the request, in random order."""
        reports = await self._workers.reports(RENDER.address(Transport.STREAM))
        source = request.source.format
        readers = _having(reports, frozenset({source} if source else ()))
        if source and not readers:
            raise UnsupportedFormat(f"No running worker reads {source.spec.title}.")
        able = [worker for worker in _having(reports, request.formats()) if worker in readers]
        if not able:
            others = sorted(format.spec.title for format in request.formats() if format != source)
            raise InvalidOperation(
                f"format: no running worker that reads the image writes {', '.join(others)}."
            )
        random.shuffle(able)
        return able


def _having(reports: dict[str, Report], formats: frozenset[Format]) -> list[str]:
    return [name for name, report in reports.items() if formats <= _formats_of(report)]


def _formats_of(report: Report) -> frozenset[str]:
    """Return the formats that a worker announced; none for one of an older version."""
    announced = report.get(_FORMATS)
    return frozenset(announced) if isinstance(announced, list) else frozenset()
