"""Advice about errors of the address to which a request goes, and of the page that sends it."""

from contracts.errors import Code
from docs.generate.advice.entry import ENGINE, Advice, Cause, Example

ADDRESSES: dict[Code, Advice] = {
    Code.NOT_FOUND: Advice(
        causes=(
            Cause(
                "No resource has this address, or an id in the address is malformed.",
                (
                    "services/gateway/access/middleware.py",
                    "services/gateway/http/error_handlers.py",
                ),
            ),
            Cause(
                "No key has this id, or it is one of another project, or it does not count any "
                "more and can't be rotated.",
                ("services/gateway/access/keys/keys.py",),
            ),
            Cause(
                "The gateway sends no webhooks, so that there is no secret to show.",
                ("services/gateway/routes/webhook_secret.py",),
            ),
            Cause(
                "No job has this id: the id is wrong, or the job's record has expired "
                "(`DARKROOM_JOB_TTL` after the job's end). Over a WebSocket the same failure "
                "comes as an event.",
                ("services/runtime/jobs/store.py", "services/gateway/live/hub.py"),
            ),
            Cause(
                "The job has no variant with this number, or ended before the variant was done.",
                ("services/gateway/routes/direct/delivered.py",),
            ),
            Cause(
                "No image has this id: it was never uploaded, was deleted, or has expired: a "
                "life was named for it, it came with a render or a job, or it could not be read.",
                (
                    "services/gateway/routes/direct/delivered.py",
                    "services/gateway/routes/images.py",
                    "services/gateway/routes/kept.py",
                    "services/gateway/routes/parameters.py",
                    "services/runtime/jobs/store.py",
                ),
            ),
            Cause(
                "The source of the image has none under this URL or path. The gateway repeats the "
                "answer for some seconds without asking the source again.",
                (
                    "services/gateway/sources/kinds/https.py",
                    "services/gateway/sources/kinds/folder.py",
                    "services/gateway/sources/kinds/s3.py",
                ),
            ),
            Cause(
                "The image of a `watermark` is not stored. A job is not accepted then; if the "
                "image is lost later, the variant fails.",
                (
                    "services/runtime/jobs/store.py",
                    "services/imaging/rendering/records.py",
                    f"{ENGINE}/operations/overlays.py",
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
        operator="If clients come back later than records of jobs live, raise "
        "`DARKROOM_JOB_TTL`. Uploaded images are kept until they are deleted, unless "
        "`DARKROOM_IMAGE_TTL` is set.",
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
        client="Use a method that the header `Allow` of the answer lists. "
        '<a href="../../../docs">/docs</a> has the methods of each address.',
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
        "send `Host` and `X-Forwarded-Proto`, and set `DARKROOM_PROXIES` to the proxy's "
        "address: see [Behind nginx](../guides/proxy.md#names-and-origins).",
        example=Example(
            "curl -sS -H 'Origin: https://other.example' -X DELETE "
            "http://127.0.0.1:8000/v1/jobs/00000000000000000000000000000000",
            "A page of another origin has sent this request. The gateway's operator lists origins "
            "in DARKROOM_ORIGINS.",
        ),
    ),
}
