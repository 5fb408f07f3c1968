"""All judges."""

from bench.exact.decoding import chromium, ffmpeg, sharp
from bench.exact.judges import Judge
from bench.exact.operations import alpha, mathematics
from bench.exact.protocols import asyncapi

JUDGES: tuple[Judge, ...] = (
    *alpha.JUDGES,
    *asyncapi.JUDGES,
    *chromium.JUDGES,
    *ffmpeg.JUDGES,
    *mathematics.JUDGES,
    *sharp.JUDGES,
)
