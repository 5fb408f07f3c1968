"""All judges."""

from bench.exact.decoding import chromium, sharp
from bench.exact.judges import Judge
from bench.exact.protocols import asyncapi

JUDGES: tuple[Judge, ...] = (
    *asyncapi.JUDGES,
    *chromium.JUDGES,
    *sharp.JUDGES,
)
