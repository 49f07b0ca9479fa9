"""Checking what a completion says as a whole: spans, choices, relations, regions, extra."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from services.annotation.content import (
    Choices,
    Content,
    Direction,
    Region,
    Relation,
    ScoredChoice,
)
from services.annotation.spans import MAX_LABEL, RawSpan, checked_attributes, checked_spans
from services.common.errors import invalid_field
from services.common.offsets import OffsetEncoding
from services.common.validate import check_count, check_line, check_text

MAX_CHOICES = 1_000
MAX_RELATIONS = 20_000
MAX_REGIONS = 20_000
MAX_RELATION_LABELS = 100
MAX_REGION_TEXT = 100_000
MAX_EXTRA = 1_000_000
MAX_LEAD_TIME = 1e9


@dataclass(frozen=True, kw_only=True, slots=True)
class RawRelation:
    """A relation as a caller sent it."""

    source: str
    target: str
    labels: Sequence[str] = ()
    direction: Direction = Direction.RIGHT
    id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class RawRegion:
    """A region as a caller sent it; page 0 is page 1."""

    x: float
    y: float
    width: float
    height: float
    rotation: float = 0.0
    labels: Sequence[str] = ()
    text: str = ""
    page: int = 1
    id: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class RawContent:
    """What a completion says, as a caller sent it."""

    spans: Sequence[RawSpan] = ()
    choices: Sequence[tuple[str, Sequence[str]]] = ()
    relations: Sequence[RawRelation] = ()
    regions: Sequence[RawRegion] = ()
    extra: str = ""


def checked_content(
    text: str, pages: int, raw: RawContent, encoding: OffsetEncoding, field: str
) -> Content:
    """Return a content that can be stored: in order, in code points, everything with an id.

    Whether labels and choices exist in the project is not checked here.

    Args:
        text: The text of the task.
        pages: How many pages the task has.
        raw: The content as sent.
        encoding: The units of its offsets.
        field: Path of the content in the request, for refusals: ``completion`` gives
            ``completion.spans[0].end``.

    Raises:
        InvalidArgumentError: What cannot be stored, by field; see `checked_spans`.
    """
    spans = checked_spans(text, raw.spans, encoding, f"{field}.spans")
    regions = checked_regions(raw.regions, pages, {one.id for one in spans}, f"{field}.regions")
    ids = {one.id for one in spans} | {one.id for one in regions}
    return Content(
        spans=spans,
        choices=checked_choices(raw.choices, f"{field}.choices"),
        relations=checked_relations(raw.relations, ids, f"{field}.relations"),
        regions=regions,
        extra=checked_extra(raw.extra, f"{field}.extra"),
    )


def merged_content(
    text: str,
    pages: int,
    kept: Content,
    raw: RawContent,
    fields: Collection[str],
    encoding: OffsetEncoding,
    field: str,
) -> Content:
    """Return `kept` with these fields replaced by what was sent; see `checked_content`.

    Raises:
        InvalidArgumentError: Also FIELD_INVALID when a relation that is kept would lose an end.
    """
    spans = kept.spans
    if "spans" in fields:
        spans = checked_spans(text, raw.spans, encoding, f"{field}.spans")
    regions = kept.regions
    if "regions" in fields:
        taken = {one.id for one in spans}
        regions = checked_regions(raw.regions, pages, taken, f"{field}.regions")
    ids = {one.id for one in spans} | {one.id for one in regions}
    relations = kept.relations
    if "relations" in fields:
        relations = checked_relations(raw.relations, ids, f"{field}.relations")
    else:
        for one in relations:
            lost = next((end for end in (one.source, one.target) if end not in ids), None)
            if lost is not None:
                raise invalid_field(
                    f"{field}.spans",
                    f"a relation has its end at {lost!r}, which is not there any more: keep the "
                    "ids of spans, or send `relations` as well.",
                )
    choices, extra = kept.choices, kept.extra
    if "choices" in fields:
        choices = checked_choices(raw.choices, f"{field}.choices")
    if "extra" in fields:
        extra = checked_extra(raw.extra, f"{field}.extra")
    return Content(spans=spans, choices=choices, relations=relations, regions=regions, extra=extra)


def checked_choices(raw: Sequence[tuple[str, Sequence[str]]], field: str) -> tuple[Choices, ...]:
    """Return choices sorted by name, or raise FIELD_INVALID."""
    check_count(raw, field, 0, MAX_CHOICES)
    found: dict[str, Choices] = {}
    for index, (name, values) in enumerate(raw):
        check_line(name, f"{field}[{index}].name", 1, 100)
        if name in found:
            raise invalid_field(f"{field}[{index}].name", "is there twice: join the values.")
        check_count(values, f"{field}[{index}].values", 1, MAX_CHOICES)
        for place, value in enumerate(values):
            check_line(value, f"{field}[{index}].values[{place}]", 1, 1_000)
        if len(set(values)) != len(values):
            raise invalid_field(f"{field}[{index}].values", "holds a value twice.")
        found[name] = Choices(name=name, values=tuple(values))
    return tuple(found[name] for name in sorted(found))


def checked_scored_choices(raw: Sequence[ScoredChoice], field: str) -> tuple[ScoredChoice, ...]:
    """Return the choices of a prediction sorted by name and value, or raise FIELD_INVALID."""
    check_count(raw, field, 0, MAX_CHOICES)
    for index, one in enumerate(raw):
        check_line(one.name, f"{field}[{index}].name", 1, 100)
        check_line(one.value, f"{field}[{index}].value", 1, 1_000)
        if not 0.0 <= one.score <= 1.0:
            raise invalid_field(f"{field}[{index}].score", "must be from 0 to 1.")
    if len({(one.name, one.value) for one in raw}) != len(raw):
        raise invalid_field(field, "holds a choice twice.")
    return tuple(sorted(raw, key=lambda one: (one.name, one.value)))


def checked_relations(
    raw: Sequence[RawRelation], ids: set[str], field: str
) -> tuple[Relation, ...]:
    """Return relations between these ids, or raise FIELD_INVALID."""
    check_count(raw, field, 0, MAX_RELATIONS)
    found = []
    for index, one in enumerate(raw):
        place = f"{field}[{index}]"
        for name, end in (("source", one.source), ("target", one.target)):
            if end not in ids:
                raise invalid_field(
                    f"{place}.{name}", f"{end[:100]!r} is the id of no span or region here."
                )
        check_line(one.id, f"{place}.id", 0, 100)
        check_count(one.labels, f"{place}.labels", 0, MAX_RELATION_LABELS)
        for number, label in enumerate(one.labels):
            check_line(label, f"{place}.labels[{number}]", 1, MAX_LABEL)
        found.append(
            Relation(
                id=one.id,
                source=one.source,
                target=one.target,
                labels=tuple(one.labels),
                direction=one.direction,
            )
        )
    return tuple(found)


def checked_regions(
    raw: Sequence[RawRegion], pages: int, taken: set[str], field: str
) -> tuple[Region, ...]:
    """Return regions in the order sent, each with an id of its own, or raise FIELD_INVALID."""
    check_count(raw, field, 0, MAX_REGIONS)
    used = set(taken)
    for index, one in enumerate(raw):
        if one.id:
            check_line(one.id, f"{field}[{index}].id", 1, 100)
            if one.id in used:
                raise invalid_field(f"{field}[{index}].id", "is the id of a span or region before.")
            used.add(one.id)
    found = []
    number = 0
    for index, one in enumerate(raw):
        place = f"{field}[{index}]"
        _check_box(one, pages, place)
        check_count(one.labels, f"{place}.labels", 0, MAX_RELATION_LABELS)
        for position, label in enumerate(one.labels):
            check_line(label, f"{place}.labels[{position}]", 1, MAX_LABEL)
        check_text(one.text, f"{place}.text", 0, MAX_REGION_TEXT)
        region_id = one.id
        while not region_id or (not one.id and region_id in used):
            number += 1
            region_id = f"r{number}"
        used.add(region_id)
        found.append(
            Region(
                x=one.x,
                y=one.y,
                width=one.width,
                height=one.height,
                rotation=one.rotation,
                labels=tuple(one.labels),
                text=one.text,
                page=one.page or 1,
                id=region_id,
                attributes=checked_attributes(one.attributes, f"{place}.attributes"),
            )
        )
    return tuple(found)


def checked_extra(extra: str, field: str) -> str:
    """Return a JSON object as text, or empty, or raise FIELD_INVALID."""
    if not extra:
        return ""
    check_text(extra, field, 0, MAX_EXTRA)
    try:
        value = json.loads(extra)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise invalid_field(field, "must be a JSON object.")
    return extra


def checked_lead_time(seconds: float, field: str) -> float:
    """Return a time of work in seconds, or raise FIELD_INVALID."""
    if not 0 <= seconds <= MAX_LEAD_TIME:
        raise invalid_field(field, "must be a number of seconds, 0 or more.")
    return seconds


def _check_box(one: RawRegion, pages: int, place: str) -> None:
    for name in ("x", "y", "width", "height", "rotation"):
        value = getattr(one, name)
        if not math.isfinite(value) or abs(value) > 1e6:
            raise invalid_field(f"{place}.{name}", "must be a number of percent or degrees.")
    for name in ("width", "height"):
        if getattr(one, name) < 0:
            raise invalid_field(f"{place}.{name}", "must not be negative.")
    if pages == 0:
        raise invalid_field(place, "the task has no pages, so it can have no regions.")
    if not 0 <= one.page <= pages:
        raise invalid_field(f"{place}.page", f"the task has {pages} pages.")
