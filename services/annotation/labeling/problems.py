"""Making problems of elements."""

from __future__ import annotations

from services.annotation.labeling.config import Code, Problem, Severity
from services.annotation.labeling.tree import Node


def shown(value: str) -> str:
    """Return a value for a message: the answer must not grow with values times problems."""
    return value if len(value) <= 40 else f"{value[:40]}…"


def error(node: Node, code: Code, message: str, attribute: str = "") -> Problem:
    """Return what keeps a config from being used, at an attribute or at the tag."""
    return _problem(node, Severity.ERROR, code, message, attribute)


def warning(node: Node, code: Code, message: str, attribute: str = "") -> Problem:
    """Return what is probably not meant so, at an attribute or at the tag."""
    return _problem(node, Severity.WARNING, code, message, attribute)


def _problem(node: Node, severity: Severity, code: Code, message: str, attribute: str) -> Problem:
    return Problem(
        place=node.place_of(attribute),
        severity=severity,
        code=code,
        message=f"{attribute}: {message}" if attribute else message,
    )
