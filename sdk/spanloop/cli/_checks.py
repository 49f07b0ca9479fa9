"""What a check of `spanloop doctor` finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad a finding is; only problems make `spanloop doctor` fail."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One finding; `fix` says what to do and is empty when nothing is wrong."""

    level: Level
    check: str
    found: str
    fix: str = ""


def ok(check: str, found: str) -> Finding:
    """Return a finding without complaint."""
    return Finding(level=Level.OK, check=check, found=found)


def warning(check: str, found: str, fix: str) -> Finding:
    """Return something that may matter."""
    return Finding(level=Level.WARNING, check=check, found=found, fix=fix)


def problem(check: str, found: str, fix: str) -> Finding:
    """Return something that does not work."""
    return Finding(level=Level.PROBLEM, check=check, found=found, fix=fix)
