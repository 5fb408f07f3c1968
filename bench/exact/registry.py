"""All judges."""

from bench.exact.decoding import animations, chromium, ffmpeg, sharp
from bench.exact.encoding import chromium as chromium_reader
from bench.exact.encoding import libheif
from bench.exact.encoding import sharp as sharp_reader
from bench.exact.judges import Judge
from bench.exact.operations import alpha, mathematics
from bench.exact.protocols import (
    asyncapi,
    events,
    messages,
    openapi,
    schemathesis,
    trace_context,
    webhooks,
)

JUDGES: tuple[Judge, ...] = (
    *alpha.JUDGES,
    *asyncapi.JUDGES,
    *events.JUDGES,
    *messages.JUDGES,
    *openapi.JUDGES,
    *schemathesis.JUDGES,
    *trace_context.JUDGES,
    *webhooks.JUDGES,
    *animations.JUDGES,
    *chromium.JUDGES,
    *ffmpeg.JUDGES,
    *chromium_reader.JUDGES,
    *libheif.JUDGES,
    *mathematics.JUDGES,
    *sharp.JUDGES,
    *sharp_reader.JUDGES,
)
