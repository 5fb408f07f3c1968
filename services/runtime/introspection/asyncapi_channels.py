"""The parts of the AsyncAPI document that the contracts do not hold.

How transports deliver, the headers of messages, and the channels that belong to no method.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from contracts.control import CONTROL, Cancel, Purged, RenderEnded
from contracts.jobs import DEAD_LETTERS, EVENTS, JOBS, DeadLetter, JobEvent, JobRequest
from contracts.message import Message
from contracts.methods import GROUP, Transport
from contracts.usage import USAGE, Usage

TRANSPORTS = {
    Transport.CHANNEL: "The gateway publishes a request to one worker's own channel: this name, "
    "`@` and the worker's name. Every worker receives a request that is published to this channel "
    "itself, and the first to claim it handles it. Without a live worker a request is refused at "
    "once. A worker that dies loses its requests.",
    Transport.LIST: "One worker takes each request. Without a live worker a request is refused at "
    "once. A worker that dies loses its requests.",
    Transport.STREAM: "One worker of the group handles each request; another worker reclaims it if "
    "the first one dies before the deadline. Without a live worker a request is refused at once.",
}
"""Description of each transport's delivery of a request."""

REQUEST_HEADERS = {
    "correlation_id": "Id chosen by the caller; in every log line about the request.",
    "reply_to": "Channel of the reply.",
    "content-type": "application/json",
    "x-deadline": "Unix time in milliseconds, by Redis's clock; the caller waits no longer.",
    "traceparent": "W3C trace context of the call, if it is traced.",
    "tracestate": "W3C trace context: what tracing systems have added.",
    "x-handed-on": "Name of the worker that handed the request on; it is handed on once at most.",
    "x-attach-up-to": "The most bytes of a result that the caller takes with the reply; "
    "a worker attaches 256 KiB at most.",
    "x-for-a-job": "Set by a worker that has another one render a variant of its job.",
}
REPLY_HEADERS = {
    "correlation_id": "The request's correlation id.",
    "content-type": "application/json",
    "x-outcome": "`ok`, or `failed` if the body is a Failure.",
    "x-worker": "Name of the worker that answered.",
    "x-queue-ms": "Milliseconds that the request waited for its images and a slot.",
    "x-work-ms": "Milliseconds that the request occupied a slot, alone or with others.",
    "x-collapsed": "`true` if an equal request was rendered, and this one waited for it.",
    "x-attached": "Number of bytes of the result that follow the JSON in the body, for a caller "
    "with `x-attach-up-to`. Without this header the body is JSON alone.",
}
EVENT_HEADERS = {
    "correlation_id": "Id of the job, or any id for other messages.",
    "content-type": "application/json",
    "traceparent": "W3C trace context of the submission, with an accepted job that is traced.",
    "tracestate": "W3C trace context: what tracing systems have added.",
}


@dataclass(frozen=True)
class OtherChannel:
    """A channel, list or stream that belongs to no method.

    `senders` and `receivers` say what each service does there. `group` is the consumer group of a
    stream whose entries are each handled once.
    """

    name: str
    address: str
    transport: Transport
    message: type[Message]
    senders: Mapping[str, str]
    receivers: Mapping[str, str]
    group: str | None
    summary: str


OTHER_CHANNELS = (
    OtherChannel(
        "jobs", JOBS, Transport.STREAM, JobRequest,
        {"gateway": "Appends a job in the script that stores its record, before the answer 202."},
        {"imaging": "Does the variants of one job, and deletes the entry when the job has ended."},
        GROUP,
        "Accepted jobs, each done by one worker of the group and deleted when it has ended.",
    ),
    OtherChannel(
        "events", EVENTS, Transport.STREAM, JobEvent,
        {
            "gateway": "Appends an event when a job is accepted, cancelled or submitted again.",
            "imaging": "Appends an event at the start of a job, after each variant and at its end.",
        },
        {"gateway": "Passes events on to WebSockets, event streams and webhooks."},
        None,
        "Every change of every job, read by every gateway process. The stream is trimmed.",
    ),
    OtherChannel(
        "dead", DEAD_LETTERS, Transport.STREAM, DeadLetter,
        {"imaging": "Appends a job that has failed for good, or a record that cannot be read."},
        {},
        None,
        "Jobs that failed for good, with the reason. `POST /v1/dead-letters/{id}/requeue` submits "
        "one again. The stream is trimmed. It has the jobs of the project `default`; those of "
        "another project are in a stream of their own, with `:` and the project's name after this "
        "one.",
    ),
    OtherChannel(
        "control", CONTROL, Transport.CHANNEL, Cancel,
        {"gateway": "Publishes the id of a request or a job whose work nobody needs any more."},
        {"imaging": "Stops the work with that id, if this worker does it."},
        None,
        "Cancellations, sent to every worker: of requests whose caller has left, and of jobs.",
    ),
    OtherChannel(
        "purges", CONTROL, Transport.CHANNEL, Purged,
        {"gateway": "Publishes the key of an image that was deleted, or whose results or life were "
                    "changed."},
        {"gateway": "Drops the answers in its memory that were made from the image."},
        None,
        "Purges, sent to every gateway on the channel of cancellations. Workers ignore them.",
    ),
    OtherChannel(
        "renders", CONTROL, Transport.CHANNEL, RenderEnded,
        {"imaging": "Publishes the end of a render for which another worker waits."},
        {"imaging": "Looks the rendition up, or fails the equal requests that wait here."},
        None,
        "Ends of renders, sent to every worker on the channel of cancellations. Gateways ignore "
        "them.",
    ),
    OtherChannel(
        "usage", USAGE, Transport.STREAM, Usage,
        {"imaging": "Appends the cost of a request after its answer."},
        {},
        None,
        "One record for each answered request, published out of band, so that it never delays or "
        "fails an answer. No service reads the records. The stream is trimmed.",
    ),
)  # fmt: skip
