"""Checking the spans of a completion or prediction, wherever they come from.

What else a completion says is checked by `services.annotation.contents`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from services.annotation.content import Content, ScoredSpan, Span
from services.annotation.domain import Completion
from services.common.errors import InvalidArgumentError, Reason, invalid_field
from services.common.offsets import OffsetEncoding, from_code_points, to_code_points
from services.common.validate import check_count, check_line, check_text

MAX_SPANS = 20_000
MAX_TEXT = 1_000_000
MAX_LABEL = 100
# What one task may weigh with all its completions: a document has at most 16 MiB in the database's
# own format, which for spans is up to twice the size of JSON.
MAX_TASK_BYTES = 8 * 1024 * 1024
_SPAN_BYTES = 48
MAX_FRAGMENTS = 1_000
MAX_ATTRIBUTES = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class RawSpan:
    """A span as a caller sent it: any numbers, any label."""

    start: int
    end: int
    label: str
    id: str = ""
    fragments: Sequence[tuple[int, int]] = ()
    assertion: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


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
    seen: set[tuple[int, int, str, tuple[tuple[int, int], ...]]] = set()
    taken: set[str] = set()
    found: list[Span] = []
    for index, (span, (start, end)) in enumerate(zip(raw, points, strict=True)):
        place = f"{field}[{index}]"
        check_line(span.label, f"{place}.label", 1, MAX_LABEL)
        fragments: tuple[tuple[int, int], ...] = ()
        attributes: tuple[tuple[str, str], ...] = ()
        if span.fragments or span.assertion or span.attributes:
            check_line(span.assertion, f"{place}.assertion", 0, MAX_LABEL)
            fragments = _checked_fragments(text, span, (start, end), encoding, place)
            attributes = checked_attributes(span.attributes, f"{place}.attributes")
        if (start, end, span.label, fragments) in seen:
            raise invalid_field(
                place,
                f"an earlier span has the same label and extent {span.start} to {span.end}: "
                "leave one of them out.",
            )
        seen.add((start, end, span.label, fragments))
        if span.id:
            check_line(span.id, f"{place}.id", 1, 100)
            if span.id in taken:
                raise invalid_field(f"{place}.id", "is the id of an earlier span.")
            taken.add(span.id)
        found.append(
            Span(
                start=start,
                end=end,
                label=span.label,
                id=span.id,
                fragments=fragments,
                assertion=span.assertion,
                attributes=attributes,
            )
        )
    found.sort(key=lambda one: (one.start, one.end, one.label, one.id))
    return tuple(_numbered(found, taken))


def checked_attributes(attributes: Mapping[str, str], field: str) -> tuple[tuple[str, str], ...]:
    """Return attributes of a span or region as pairs sorted by name, or raise FIELD_INVALID."""
    check_count(attributes, field, 0, MAX_ATTRIBUTES)
    for name, value in attributes.items():
        check_line(name, f"{field} key", 1, 100)
        check_text(value, f"{field}[{name[:100]}]", 0, 1_000)
    return tuple(sorted(attributes.items()))


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
        check_line(span.assertion, f"{field}[{index}].assertion", 0, MAX_LABEL)
        if not 0.0 <= span.assertion_score <= (1.0 if span.assertion else 0.0):
            raise invalid_field(
                f"{field}[{index}].assertion_score",
                "must be from 0 to 1, and 0 without an assertion.",
            )
        found.append(replace(span, start=start, end=end))
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
        size += content_size(completion.content)
    if size > MAX_TASK_BYTES:
        raise InvalidArgumentError(
            Reason.REQUEST_TOO_LARGE,
            f"The task with all its completions has more than {MAX_TASK_BYTES} bytes: "
            "divide its text.",
            metadata={"limit": str(MAX_TASK_BYTES)},
        )


def content_size(content: Content) -> int:
    """Return about how many bytes a content takes in a document, rather more than less."""
    size = len(content.extra.encode())
    for span in content.spans:
        size += _SPAN_BYTES + len(span.label.encode()) + len(span.id.encode())
        if span.fragments or span.assertion or span.attributes:
            size += 24 * len(span.fragments) + len(span.assertion.encode()) + 48
            size += _pairs_size(span.attributes)
    for region in content.regions:
        size += 160 + len(region.id.encode()) + len(region.text.encode())
        size += sum(len(label.encode()) + 4 for label in region.labels)
        size += _pairs_size(region.attributes)
    for choice in content.choices:
        size += len(choice.name.encode()) + sum(len(one.encode()) + 4 for one in choice.values) + 16
    for relation in content.relations:
        size += 48 + len((relation.id + relation.source + relation.target).encode())
        size += sum(len(label.encode()) + 4 for label in relation.labels)
    return size


def _pairs_size(pairs: Iterable[tuple[str, str]]) -> int:
    return sum(len(name.encode()) + len(value.encode()) + 8 for name, value in pairs)


def _checked_fragments(
    text: str, span: RawSpan, extent: tuple[int, int], encoding: OffsetEncoding, place: str
) -> tuple[tuple[int, int], ...]:
    if not span.fragments:
        return ()
    field = f"{place}.fragments"
    check_count(span.fragments, field, 2, MAX_FRAGMENTS)
    points = _checked_points(text, span.fragments, encoding, field)
    for index, ((_, end), (start, _)) in enumerate(itertools.pairwise(points), start=1):
        if start <= end:
            raise invalid_field(
                f"{field}[{index}].start",
                "must lie behind the piece before it, with something in between.",
                reason=Reason.OFFSET_INVALID,
            )
    if (points[0][0], points[-1][1]) != extent:
        raise invalid_field(
            field,
            f"must begin at start, {span.start}, and end at end, {span.end}.",
            reason=Reason.OFFSET_INVALID,
        )
    return tuple(points)


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


def _numbered(ordered: Iterable[Span], taken: set[str]) -> Iterable[Span]:
    number = 0
    for span in ordered:
        if span.id:
            yield span
            continue
        number += 1
        while f"s{number}" in taken:
            number += 1
        yield Span(
            start=span.start,
            end=span.end,
            label=span.label,
            id=f"s{number}",
            fragments=span.fragments,
            assertion=span.assertion,
            attributes=span.attributes,
        )
