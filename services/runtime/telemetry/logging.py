"""Structured logs: one JSON line for each event, on standard output."""

import logging
import sys

import structlog

# Their lines repeat ours, which add a method, an outcome and a correlation id.
_SILENCED = ("uvicorn.access", "faststream.access.redis")


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
