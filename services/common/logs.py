"""Structured logs on stderr. They never hold texts of documents, tokens or request bodies."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO, cast

import structlog
from structlog.typing import FilteringBoundLogger, Processor

# Keys that must never be logged, whoever passes them by mistake.
_FORBIDDEN = frozenset(
    {"authorization", "chunk", "password", "secret", "text", "texts", "token", "tokens"}
)


def configure_logs(level: str, format: str, service: str, stream: TextIO | None = None) -> None:
    """Send structlog and the standard library's logging to `stream`, stderr by default.

    Args:
        level: debug, info, warning or error.
        format: ``json`` for one object per line, ``console`` for people.
        service: Stands in every entry.
        stream: Where to write.
    """

    def add_service(
        _logger: object, _name: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        event.setdefault("service", service)
        return event

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        add_service,
        hide_forbidden,
    ]
    renderer: list[Processor]
    if format == "json":
        renderer = [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    else:
        renderer = [
            # Its default prints the values of local variables: texts, tokens.
            structlog.dev.ConsoleRenderer(
                colors=False, exception_formatter=structlog.dev.plain_traceback
            )
        ]
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def hide_forbidden(
    _logger: object, _name: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Replace values that must not be logged (a structlog processor)."""
    for key in _FORBIDDEN & event.keys():
        event[key] = "(hidden)"
    return event


def get_logger(name: str) -> FilteringBoundLogger:
    """Return the logger of a module: ``log.info("event", key=value)``."""
    return cast("FilteringBoundLogger", structlog.get_logger(name))
