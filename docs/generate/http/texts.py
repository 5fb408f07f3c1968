"""The sentences and the examples of the reference of HTTP, which the code does not hold."""

from dataclasses import dataclass

from docs.generate.markdown import table
from services.gateway.routes.live import POLICY_VIOLATION, TRY_AGAIN_LATER
from services.gateway.server.websocket import MAX_MESSAGE

OVERVIEW = """\
# HTTP

The gateway has the routes below. This page has the rules that hold for all of them; each route has
a section on the page of its resource. <a href="../../../docs">/docs</a> shows the same routes with
a form to try each one, and <a href="../../../openapi.json">/openapi.json</a> is the OpenAPI
document (version {version}); [Generated clients](../guides/clients.md) are made of it.

{routes}

Addresses for operators, such as `/health/ready` and `/metrics`, are on the page
[System](http/system.md#other-addresses).

## Rules

- **Unknown query parameters are refused** with 422 and the code `invalid_request`. The error names
  the parameter and the most similar known one. A query may have 8,192 bytes.
- An unknown address, or an id of the wrong form, gets 404 and `not_found`. A method that the
  address does not have gets 405 and `method_not_allowed`, with `Allow`.
- `HEAD` works at every address that has `GET`: the same headers, no body, no `Range`.
- An image in a body may have `DARKROOM_MAX_BODY` bytes, a JSON body 256 KiB. A body is an image
  whatever its `Content-Type` is, with two exceptions: of `multipart/form-data`, the field `file` is
  the image; a job may have a body of `application/json`.
- Unknown fields of a JSON body are refused, too: 422 and `invalid_request` or `invalid_operation`.
- A body that stops arriving, or arrives too slowly, gets 408 and `deadline_exceeded`:
  `DARKROOM_BODY_PATIENCE`, `DARKROOM_BODY_RATE` and `DARKROOM_BODY_TIMEOUT`.
- The header of a request may have `DARKROOM_MAX_HEADER` bytes: 414 or 431 and `too_large`. It has
  to arrive within `DARKROOM_HEADER_TIMEOUT`: 408 and `deadline_exceeded`. Malformed HTTP gets 400
  and `invalid_request`. After such a refusal the gateway closes the connection.
- When the client closes the connection, the gateway cancels the render that the client waits for. A
  job goes on.
- With `DARKROOM_ACCESS=keys` a request needs a key, as `Authorization: Bearer dk_...`, or the
  cookie of a session: 401 and `unauthorized` without one, 403 and `forbidden` without the scope
  that the route needs. [Keys](../guides/access.md) lists the scopes.
- A GET or HEAD whose query has `sig` is a [signed URL](../guides/signed-urls.md), which needs no
  key: 403 and `signature_invalid` if the signature does not count.

## Headers of every request and response

{common_headers}

## Headers of some requests

The section of a route names the headers that it reads.

{request_headers}

## Headers of some responses

{response_headers}

## Parameters of a pipeline

Routes that render take the operations and the output in the query.
[Operations](operations.md) lists the operations, and [Outputs](outputs.md) explains the fields of
an output.

{pipeline}

## Problem documents

Every error has a body of the media type `application/problem+json` (RFC 9457).
[Errors](../errors/index.md) explains each code. A 503 has the header `Retry-After`, a 416 has
`Content-Range`.

{problem}

```{{toctree}}
:hidden:

{pages}
```
"""

COMMON_HEADERS = (
    ("`X-Correlation-ID`", "both", "Id of the request, in log lines and messages. A request may "
     "bring its own: up to 128 letters, digits and `._-`."),
    ("`traceparent`", "request", "The trace that the request belongs to (W3C Trace Context)."),
    ("`Content-Type`", "both", "Media type of the body (RFC 9110, section 8.3)."),
    ("`X-Content-Type-Options`", "response", "`nosniff` with an image (WHATWG Fetch)."),
    ("`Allow`", "response", "With 405: the methods of the address (RFC 9110, section 10.2.1)."),
    ("`Connection`", "response", "`close` if the gateway answers before the end of the body (RFC "
     "9110, section 7.6.1)."),
)  # fmt: skip
"""Name, direction and meaning of the headers that no route documents."""


@dataclass(frozen=True)
class Page:
    """Title and sentences of a resource's page; `more` follows the routes.

    `models` are the models that the sentences refer to.
    """

    title: str
    intro: str
    more: str = ""
    models: tuple[str, ...] = ()


_HOUSE = """\
The examples use the sample photograph:

```sh
curl -sSo /tmp/house.jpg http://127.0.0.1:8000/guide/house.jpg
```"""

_UPLOADED = """\
The examples use the sample photograph, uploaded once:

```sh
curl -sSo /tmp/house.jpg http://127.0.0.1:8000/guide/house.jpg
IMAGE=$(curl -sS -o /dev/null -w '%header{location}' --data-binary @/tmp/house.jpg http://127.0.0.1:8000/v1/images)
echo "$IMAGE"
```"""

_SUBMITTED = """\
The examples use a job that renders the sample photograph:

```sh
curl -sSo /tmp/house.jpg http://127.0.0.1:8000/guide/house.jpg
JOB=$(curl -sS -o /dev/null -w '%header{location}' --data-binary @/tmp/house.jpg 'http://127.0.0.1:8000/v1/jobs?op=grayscale')
echo "$JOB"
```"""

_CLOSE_CODES = table(
    ("code", "reason", "what to do"),
    [
        (
            str(POLICY_VIOLATION),
            "The message is no WatchRequest, the connection would watch too many jobs or has "
            "watched none for `DARKROOM_LIVE_IDLE`, or the client sends more than "
            "`DARKROOM_MAX_LIVE_FRAMES` frames a second.",
            "Correct the client.",
        ),
        ("1009", f"A message has more than {MAX_MESSAGE >> 10} KiB.", "Watch fewer jobs at once."),
        (
            str(TRY_AGAIN_LATER),
            "The client reads too slowly, Redis does not answer, or there are too many clients "
            "(`DARKROOM_MAX_LIVE`), watched jobs (`DARKROOM_MAX_WATCHED_IN_ALL`) or unsent events "
            "(`DARKROOM_MAX_EVENTS`).",
            "Connect again after some seconds, and resume with `after`.",
        ),
    ],
)

_EVENTS = f"""\
### Events of a stream

A stream has these events:

| event | `id` | `data` |
| --- | --- | --- |
| `job` | id of the event | a [JobEvent](#jobevent) |
| `dropped` | none | a sentence: connect again, with `Last-Event-ID` |

- The response ends after the event that ends the job. A client that connects again with the id of
  that event gets 204, which stops a browser's `EventSource`.
- The response ends with `dropped` when the client reads too slowly (`DARKROOM_MAX_BACKLOG` events
  wait) or the gateway stops.
- Without an event for `DARKROOM_KEEP_ALIVE` seconds the stream has a comment, which keeps proxies
  from closing the connection.
- An id in another form is ignored.

## The WebSocket

```text
/v1/live
```

One connection carries the events of many jobs. Both sides send JSON as text.

1. Connect to `/v1/live`. The address takes no parameters.
2. Send a [WatchRequest](#watchrequest) with the ids of jobs, as often as needed. A message may have
   1,000 ids; a connection may watch `DARKROOM_MAX_WATCHED` jobs.
3. Receive a [JobEvent](#jobevent) for each job at once, with its current state. Receive one more
   for each later change.
4. After a lost connection, connect again and send the ids with `after`: the id of the last event
   that was received. Every later event arrives once, and no earlier one.

```sh
(echo "{{\\"watch\\": [\\"${{JOB##*/}}\\"]}}"; sleep 2) | .venv/bin/python -m websockets ws://127.0.0.1:8000/v1/live
```

An unknown job has one event, whose `id` is null: the state `failed` and a problem with the code
`not_found`. The connection stays open after the last job has ended; the client closes it.

The gateway closes the connection with these codes (RFC 6455):

{_CLOSE_CODES}"""

_OTHER_ADDRESSES = """\
## Other addresses

These addresses are not in the OpenAPI document.

| address | answer |
| --- | --- |
| `/` | the page, for browsers |
| `/docs`, `/openapi.json` | the HTTP API |
| `/asyncapi`, `/asyncapi.yaml` | the messages: [Messages](../messages.md) |
| `/guide/` | this guide |
| `/health/live` | 200 while the process answers |
| `/health/ready` | 200 if the gateway can do its work, else 503; with the result of each check |
| `/metrics` | metrics in the text format of Prometheus: [Monitoring](../../guides/monitor.md) |

The imaging service has `/health/live`, `/health/ready`, `/metrics`, `/asyncapi` and
`/asyncapi.yaml` on its own port.

```sh
curl -sS http://127.0.0.1:8000/health/ready
```"""

PAGES = {
    "render": Page(
        "Rendering",
        "Send an image and a pipeline, and receive the result in the response. "
        "[Rendering pictures](../../guides/render.md) has more examples.\n\n" + _HOUSE,
    ),
    "images": Page(
        "Images",
        "Upload an image once, then list, fetch, describe and render it under its id.\n\n"
        + _UPLOADED,
    ),
    "jobs": Page(
        "Jobs",
        "Submit work that is done later, follow it, and fetch its results. "
        "[Jobs](../../guides/jobs.md) explains the steps.\n\n" + _SUBMITTED,
    ),
    "events": Page(
        "Events",
        "The gateway pushes the changes of jobs in three ways: as Server-Sent Events, over a "
        "WebSocket, and as a webhook at the end of a job.\n\n" + _SUBMITTED,
        more=_EVENTS,
        models=("JobEvent", "WatchRequest"),
    ),
    "keys": Page(
        "Keys",
        "Make keys for clients, and revoke them; sign a browser in; read the secret of webhooks. "
        "Every route below `/v1/keys` needs a key with the scope `admin`: "
        "[Keys](../../guides/access.md) explains the steps. The secret needs one, too: "
        "[Webhooks](../../guides/webhooks.md#projects).",
    ),
    "system": Page(
        "System",
        "Look at workers, queues and jobs.",
        more=_OTHER_ADDRESSES,
    ),
}
"""The resources, in the order of the overview."""
