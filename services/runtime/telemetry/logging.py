"""Structured logs: one JSON line for each event, on standard output."""

import logging
import re
import sys
from typing import Any

import structlog

# Their lines repeat ours, which add a method, an outcome and a correlation id.
_SILENCED = ("uvicorn.access", "faststream.access.redis")


_KEY = re.compile(r"(dk_[a-z2-7]{10}_)[A-Za-z0-9_-]+")


def strike_out_keys(logger: Any, name: str, line: Any) -> str:
    """Replace the secret of each API key in a line: a client may write its key into an address."""
    text = str(line)
    return _KEY.sub(r"\1***", text) if "dk_" in text else text


def configure_logging(level: str) -> None:
    """Write every log line of this process as JSON, uvicorn's and FastStream's lines too.

    `level` is a name such as "info". Call this after the server has set up its own logging, which
    this replaces.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
                strike_out_keys,
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for name in ("uvicorn", "uvicorn.error", "faststream"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for name in _SILENCED:
        logger = logging.getLogger(name)
        logger.disabled = True
        # uvicorn puts a line together for each request, unless its logger reaches no handler.
        logger.handlers.clear()
        logger.propagate = False
