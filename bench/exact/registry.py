"""All judges."""

from bench.exact.decoding import sharp
from bench.exact.judges import Judge

JUDGES: tuple[Judge, ...] = (*sharp.JUDGES,)
