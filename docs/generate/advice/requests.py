"""Advice about errors of requests: their form, and the state of the resource that they name."""

from contracts.errors import Code
from docs.generate.advice.entry import HOUSE, SERVER, UPLOADS, Advice, Cause, Example

_BLOBS = ("services/runtime/storage/blobs.py", "services/gateway/http/image_response.py")
_JOB_FROM = "JOB=$(curl -sS -o /dev/null -w '%header{location}'"

REQUESTS: dict[Code, Advice] = {
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
            Cause(
                "The body is empty, or it is a form that has not one file, in its field `file`, "
                "or has more than eight other fields, or has a `charset` that is neither UTF-8 "
                "nor ISO-8859-1.",
                (UPLOADS, "services/gateway/sources/uploads/form.py"),
            ),
            Cause(
                "The JSON of a job has an unknown, missing or wrong member outside of its "
                "pipelines, or that of a change of an image has one.",
                ("services/gateway/routes/jobs.py", "services/gateway/routes/kept.py"),
            ),
            Cause(
                "The JSON of a key has an unknown, missing or wrong member, or an imported key has "
                "another id than the address, or contradicts itself.",
                (
                    "services/gateway/routes/keys.py",
                    "services/gateway/access/keys/imports.py",
                ),
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
                "The image of a source is named by a malformed or too long URL or path, or by one "
                "that has a password, or `..`.",
                (
                    "services/gateway/sources/addresses.py",
                    "services/gateway/sources/url_patterns.py",
                ),
            ),
            Cause(
                "Status 400: the bytes are not a valid request of HTTP/1.1 or HTTP/1.0, or the "
                "chunks of a body have less than 128 bytes on average, after the first 1,000, or "
                "the request has no `Host`, several or a malformed one. The gateway closes the "
                "connection.",
                (SERVER,),
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
        'Correct the request. <a href="../../../docs">/docs</a> lists the parameters of each '
        "address.",
        operator="Nothing, if clients send wrong requests. If `detail` speaks of a version, "
        "install the same version of gateway and workers. If `detail` names "
        "`DARKROOM_WEBHOOK_SECRET`, [set the secret](../guides/webhooks.md).",
        example=Example(
            f"{HOUSE}\n"
            "curl -sS --data-binary @/tmp/house.jpg "
            "'http://127.0.0.1:8000/v1/render?op=grayscale&formt=webp'",
            "'formt' is not a parameter here; did you mean 'format'?",
        ),
    ),
    Code.TOO_LARGE: Advice(
        causes=(
            Cause("An image has more bytes than `DARKROOM_MAX_BODY`.", (UPLOADS,)),
            Cause("The JSON of a job has more than 256 KiB.", (UPLOADS,)),
            Cause(
                "The request's header has more bytes than `DARKROOM_MAX_HEADER`, or more fields "
                "than `DARKROOM_MAX_HEADER_FIELDS`: status 414 if most of it is the address, "
                "otherwise 431.",
                (SERVER,),
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
                ("services/imaging/rendering/records.py",),
            ),
            Cause(
                "The image of a render was deleted meanwhile.",
                ("services/imaging/rendering/renders.py",),
            ),
            Cause(
                "The stored bytes of an image are lost, or are not those that were stored: the log "
                "and `darkroom_corrupt_blobs_total` count them. Upload the image again.",
                (
                    *_BLOBS,
                    "services/runtime/storage/opened_images.py",
                    "services/imaging/rendering/renders.py",
                ),
            ),
            Cause(
                "The image has expired, or was deleted, while it was changed.",
                ("services/runtime/storage/kept.py",),
            ),
            Cause(
                "The original of a source was deleted while a job was submitted for it.",
                ("services/gateway/sources/acquire.py",),
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
            f"{HOUSE}\n"
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
            Cause(
                "The request changes the label or the life of an image that came with a render or "
                "a job: only uploaded images have these.",
                ("services/runtime/storage/kept.py",),
            ),
            Cause(
                "A key was imported that has the id of another key or other scopes than the key "
                "here, or that had ended and was removed here; or its project has 1,000 keys that "
                "count already, or all projects have 10,000 keys.",
                (
                    "services/gateway/access/keys/imports.py",
                    "services/gateway/access/keys/keys.py",
                    "services/gateway/access/keys/room.py",
                ),
            ),
        ),
        client="Read the job's state with `GET /v1/jobs/{id}`. A job that has ended needs no "
        "cancelling. To keep an image, upload it with `POST /v1/images`.",
        operator="Revoke keys that nobody uses: see `darkroom keys list`.",
        example=Example(
            f"{HOUSE}\n"
            f"{_JOB_FROM} -H 'Prefer: wait=30' --data-binary @/tmp/house.jpg "
            "'http://127.0.0.1:8000/v1/jobs?op=grayscale')\n"
            "curl -sS -X DELETE http://127.0.0.1:8000${JOB%/results/0}",
            "The job has succeeded already.",
        ),
    ),
    Code.UNSUPPORTED_MEDIA_TYPE: Advice(
        causes=(
            Cause(
                "The body has a `Content-Encoding`, such as `gzip`, or the file in a form has one. "
                "The header `Accept-Encoding` of the answer is `identity`.",
                ("services/gateway/http/error_handlers.py",),
            ),
            Cause(
                "The body of a job has a `Content-Type` that is neither JSON nor an image, such as "
                "`application/xml`, or a change of an image is no JSON. The header `Accept` of the "
                "answer lists the types.",
                ("services/gateway/http/error_handlers.py",),
            ),
        ),
        client="Send the body as it is, without compression: images are compressed already. Send a "
        "job as `application/json`, or the bytes of an image as `image/*` or "
        "`application/octet-stream`.",
        operator="Nothing.",
        example=Example(
            f"{HOUSE}\n"
            "curl -sS -H 'Content-Encoding: gzip' --data-binary @/tmp/house.jpg "
            "http://127.0.0.1:8000/v1/images",
            "The body has a Content-Encoding; send it without.",
        ),
    ),
    Code.PRECONDITION_FAILED: Advice(
        causes=(
            Cause(
                "`If-Match` names no entity tag of the content. A weak tag (`W/`) never matches.",
                ("services/gateway/http/conditions.py",),
            ),
            Cause(
                "A file of the web page or of the guide was changed after the date of "
                "`If-Unmodified-Since`. Images and descriptions have no date, so this header "
                "counts for nothing there.",
                ("services/gateway/http/conditions.py",),
            ),
        ),
        client="Send the request again without the condition, and use the `ETag` of that answer.",
        operator="Nothing.",
        example=Example(
            f"{HOUSE}\n"
            "IMAGE=$(curl -sS -o /dev/null -w '%header{location}' --data-binary @/tmp/house.jpg "
            "http://127.0.0.1:8000/v1/images)\n"
            "curl -sS -H 'If-Match: \"other\"' http://127.0.0.1:8000$IMAGE",
            "If-Match names no entity tag of the current content.",
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
        "`X-Submitter`; their keys can then collide. With keys, each of them counts for itself.",
        example=Example(
            f"{HOUSE}\n"
            "curl -sS -o /dev/null -H 'Idempotency-Key: \"house-42\"' "
            "--data-binary @/tmp/house.jpg 'http://127.0.0.1:8000/v1/jobs?op=grayscale'\n"
            "curl -sS -H 'Idempotency-Key: \"house-42\"' --data-binary @/tmp/house.jpg "
            "'http://127.0.0.1:8000/v1/jobs?op=sepia'",
            "This idempotency key was used for another request.",
        ),
    ),
}
