"""What reading a file yields: texts, and places that were refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from services.annotation.domain import Span, Split
from services.common.errors import Reason, SpanloopError


@dataclass(frozen=True, kw_only=True, slots=True)
class ParsedText:
    """One text of a file.

    Attributes:
        line: Line on which it begins, from 1.
        ordinal: Its place among the texts of the file, refused ones included, from 1.
        text: The text.
        spans: Its annotation, or None when it comes without one.
        labels: The labels of the spans, each with the place that first names it: line and field.
        external_id: Its id in the file, or empty.
        split: Its split in the file.
        metadata: Its notes.
        tokenised: Whether it is made of tokens joined by single blanks.
    """

    line: int
    ordinal: int
    text: str
    spans: tuple[Span, ...] | None
    labels: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    external_id: str = ""
    split: Split = Split.UNSPECIFIED
    metadata: Mapping[str, str] = field(default_factory=dict)
    tokenised: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """One text of a file that cannot be used, and why."""

    line: int
    reason: Reason
    field: str
    message: str


Record: TypeAlias = ParsedText | Refused


def refusal(line: int, error: SpanloopError) -> Refused:
    """Return the refusal of a line for what a check raised about it."""
    return Refused(
        line=line,
        reason=error.reason,
        field=error.violations[0].field if error.violations else error.metadata.get("field", ""),
        message=error.message,
    )
