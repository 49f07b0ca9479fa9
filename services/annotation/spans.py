"""Checking the spans of a completion or prediction, wherever they come from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.annotation.domain import Completion, ScoredSpan, Span
from services.common.errors import InvalidArgumentError, Reason, invalid_field
from services.common.offsets import OffsetEncoding, from_code_points, to_code_points
from services.common.validate import check_line

MAX_SPANS = 20_000
MAX_TEXT = 1_000_000
MAX_LABEL = 100
# What one task may weigh with all its completions: a document has at most 16 MiB in the database's
# own format, which for spans is up to twice the size of JSON.
MAX_TASK_BYTES = 8 * 1024 * 1024
_SPAN_BYTES = 48


@dataclass(frozen=True, kw_only=True, slots=True)
class RawSpan:
    """A span as a caller sent it: any numbers, any label."""

    start: int
    end: int
    label: str
    id: str = ""


def checked_spans(
    text: str, raw: Sequence[RawSpan], encoding: OffsetEncoding, field: str
) -> tuple[Span, ...]:
    """Return spans in order of start, in code points, each with an id.

    Spans without an id get ``s1``, ``s2``, … in their order. Whether their labels exist is not
    checked here.

    Args:
        text: The text that they belong to.
        raw: The spans as sent.
        encoding: The units of their offsets.
        field: Path of the list in the request, for refusals: ``spans`` gives ``spans[0].end``.

    Raises:
        InvalidArgumentError: OFFSET_INVALID for an offset that is outside the text, inside a
            character or not behind its start; FIELD_INVALID for a bad label or id, or for two spans
            with the same label and extent; REQUEST_TOO_LARGE for more than MAX_SPANS.
    """
    points = _checked_points(text, [(r.start, r.end) for r in raw], encoding, field)
    seen: set[tuple[int, int, str]] = set()
    taken: set[str] = set()
    for index, (span, (start, end)) in enumerate(zip(raw, points, strict=True)):
        check_line(span.label, f"{field}[{index}].label", 1, MAX_LABEL)
        if (start, end, span.label) in seen:
            raise invalid_field(
                f"{field}[{index}]",
                f"an earlier span has the same label and extent {span.start} to {span.end}: "
                "leave one of them out.",
            )
        seen.add((start, end, span.label))
        if span.id:
            check_line(span.id, f"{field}[{index}].id", 1, 100)
            if span.id in taken:
                raise invalid_field(f"{field}[{index}].id", "is the id of an earlier span.")
            taken.add(span.id)
    ordered = sorted(
        ((start, end, span.label, span.id) for span, (start, end) in zip(raw, points, strict=True))
    )
    return tuple(_numbered(ordered, taken))


def checked_scored(
    text: str, raw: Sequence[ScoredSpan], encoding: OffsetEncoding, field: str
) -> tuple[ScoredSpan, ...]:
    """Return the spans of a prediction in order of start; see `checked_spans`."""
    points = _checked_points(text, [(r.start, r.end) for r in raw], encoding, field)
    seen: set[tuple[int, int, str]] = set()
    found = []
    for index, (span, (start, end)) in enumerate(zip(raw, points, strict=True)):
        check_line(span.label, f"{field}[{index}].label", 1, MAX_LABEL)
        if not 0.0 <= span.score <= 1.0:
            raise invalid_field(f"{field}[{index}].score", "must be from 0 to 1.")
        if (start, end, span.label) in seen:
            raise invalid_field(
                f"{field}[{index}]", "an earlier span has the same label and extent."
            )
        seen.add((start, end, span.label))
        found.append(ScoredSpan(start=start, end=end, label=span.label, score=span.score))
    return tuple(sorted(found, key=lambda span: (span.start, span.end, span.label)))


def encoded_extents(
    text: str, spans: Sequence[Span] | Sequence[ScoredSpan], encoding: OffsetEncoding
) -> list[tuple[int, int]]:
    """Return the extents of spans counted in `encoding`."""
    flat = [offset for span in spans for offset in (span.start, span.end)]
    counted = from_code_points(text, flat, encoding)
    return list(zip(counted[::2], counted[1::2], strict=True))


def check_task_size(text: str, completions: Iterable[Completion]) -> None:
    """Raise REQUEST_TOO_LARGE when a task with these completions does not fit into a document."""
    size = len(text.encode())
    for completion in completions:
        size += 1_000
        for span in completion.spans:
            size += _SPAN_BYTES + len(span.label.encode()) + len(span.id.encode())
    if size > MAX_TASK_BYTES:
        raise InvalidArgumentError(
            Reason.REQUEST_TOO_LARGE,
            f"The task with all its completions has more than {MAX_TASK_BYTES} bytes: "
            "divide its text.",
            metadata={"limit": str(MAX_TASK_BYTES)},
        )


def _checked_points(
    text: str, extents: Sequence[tuple[int, int]], encoding: OffsetEncoding, field: str
) -> list[tuple[int, int]]:
    if len(extents) > MAX_SPANS:
        raise InvalidArgumentError(
            Reason.REQUEST_TOO_LARGE,
            f"{field}: at most {MAX_SPANS} spans.",
            metadata={"field": field, "limit": str(MAX_SPANS)},
        )

    def field_of(index: int) -> str:
        return f"{field}[{index // 2}].{'end' if index % 2 else 'start'}"

    flat = [offset for extent in extents for offset in extent]
    points = to_code_points(text, flat, encoding, field_of)
    for index in range(0, len(points), 2):
        if points[index] >= points[index + 1]:
            raise invalid_field(
                field_of(index + 1),
                f"{flat[index + 1]} is not behind start, which is {flat[index]}.",
                reason=Reason.OFFSET_INVALID,
            )
    return list(zip(points[::2], points[1::2], strict=True))


def _numbered(ordered: Iterable[tuple[int, int, str, str]], taken: set[str]) -> Iterable[Span]:
    number = 0
    for start, end, label, given in ordered:
        span_id = given
        if not given:
            number += 1
            while f"s{number}" in taken:
                number += 1
            span_id = f"s{number}"
        yield Span(start=start, end=end, label=label, id=span_id)
