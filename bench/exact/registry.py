"""All judges."""

from bench.exact.decoding import sharp
from bench.exact.judges import Judge
from bench.exact.protocols import asyncapi

JUDGES: tuple[Judge, ...] = (*sharp.JUDGES, *asyncapi.JUDGES)
