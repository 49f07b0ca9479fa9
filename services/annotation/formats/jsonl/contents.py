"""What annotations and predictions say, from the keys of a line and back to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.annotation.content import Content, Direction, Page, ScoredChoice, ScoredSpan, Word
from services.annotation.contents import (
    RawRegion,
    RawRelation,
    checked_choices,
    checked_extra,
    checked_regions,
    checked_relations,
)
from services.annotation.formats.json_fields import (
    a_float,
    a_list,
    a_string,
    an_int,
    an_object,
    an_offset,
    strings,
    to_json,
)
from services.annotation.spans import RawSpan, checked_scored, checked_spans
from services.common.errors import invalid_field
from services.common.offsets import OffsetEncoding, to_code_points
from services.common.validate import check_line

CONTENT_KEYS = frozenset({"spans", "choices", "relations", "regions"})
_PLAIN_KEYS = frozenset({"start", "end", "label", "id"})


def read_content(
    body: Mapping[str, Any],
    text: str,
    pages: int,
    encoding: OffsetEncoding,
    prefix: str,
    extra: str,
) -> Content:
    """Return what `spans`, `choices`, `relations` and `regions` of an object say, with an extra.

    Raises:
        InvalidArgumentError: As `services.annotation.contents.checked_content`.
    """
    raw = [
        _span(one, f"{prefix}spans[{index}]")
        for index, one in enumerate(a_list(body.get("spans"), f"{prefix}spans"))
    ]
    spans = checked_spans(text, raw, encoding, f"{prefix}spans")
    regions = checked_regions(
        [
            _region(one, f"{prefix}regions[{index}]")
            for index, one in enumerate(a_list(body.get("regions"), f"{prefix}regions"))
        ],
        pages,
        {one.id for one in spans},
        f"{prefix}regions",
    )
    chosen = an_object(body.get("choices"), f"{prefix}choices")
    return Content(
        spans=spans,
        choices=checked_choices(
            [(name, strings(values, f"{prefix}choices.{name}")) for name, values in chosen.items()],
            f"{prefix}choices",
        ),
        relations=checked_relations(
            [
                _relation(one, f"{prefix}relations[{index}]")
                for index, one in enumerate(a_list(body.get("relations"), f"{prefix}relations"))
            ],
            {one.id for one in spans} | {one.id for one in regions},
            f"{prefix}relations",
        ),
        regions=regions,
        extra=extra,
    )


def labels_of(body: Mapping[str, Any], prefix: str) -> list[tuple[str, str]]:
    """Return the labels of the spans and regions of an object that was read, with their fields."""
    spans = [
        (one["label"], f"{prefix}spans[{index}].label")
        for index, one in enumerate(body.get("spans") or ())
    ]
    regions = [
        (label, f"{prefix}regions[{index}].labels[{place}]")
        for index, one in enumerate(body.get("regions") or ())
        for place, label in enumerate(one.get("labels") or ())
    ]
    return spans + regions


def read_scored(
    body: Mapping[str, Any], text: str, encoding: OffsetEncoding, prefix: str
) -> tuple[tuple[ScoredSpan, ...], tuple[ScoredChoice, ...]]:
    """Return the spans and choices of a prediction."""
    raw = []
    for index, one in enumerate(a_list(body.get("spans"), f"{prefix}spans")):
        span = _span(one, f"{prefix}spans[{index}]")
        place = f"{prefix}spans[{index}]"
        raw.append(
            ScoredSpan(
                start=span.start,
                end=span.end,
                label=span.label,
                score=a_float(one.get("score"), f"{place}.score"),
                assertion=span.assertion,
                assertion_score=a_float(
                    one.get("assertion_score"), f"{place}.assertion_score", 0.0
                ),
            )
        )
    choices = []
    for index, one in enumerate(a_list(body.get("choices"), f"{prefix}choices")):
        place = f"{prefix}choices[{index}]"
        found = an_object(one, place)
        score = a_float(found.get("score"), f"{place}.score")
        if not 0 <= score <= 1:
            raise invalid_field(f"{place}.score", "must be from 0 to 1.")
        name = check_line(a_string(found.get("name"), f"{place}.name"), f"{place}.name", 1, 100)
        value = a_string(found.get("value"), f"{place}.value")
        check_line(value, f"{place}.value", 1, 1_000)
        choices.append(ScoredChoice(name=name, value=value, score=score))
    return checked_scored(text, raw, encoding, f"{prefix}spans"), tuple(choices)


def read_extra(value: object, field: str) -> str:
    """Return an object as the JSON text that is kept of it; empty for None."""
    if value is None:
        return ""
    return checked_extra(to_json(an_object(value, field)), field)


def read_page(value: object, field: str) -> Page:
    """Return a page."""
    body = an_object(value, field)
    return Page(
        image=a_string(body.get("image"), f"{field}.image"),
        width=an_int(body.get("width"), f"{field}.width", 0),
        height=an_int(body.get("height"), f"{field}.height", 0),
    )


def read_words(value: object, text: str, encoding: OffsetEncoding, field: str) -> tuple[Word, ...]:
    """Return the words of the pages, in code points."""
    bodies = [an_object(one, f"{field}[{index}]") for index, one in enumerate(a_list(value, field))]
    flat = [
        an_offset(body.get(key), f"{field}[{index}].{key}")
        for index, body in enumerate(bodies)
        for key in ("start", "end")
    ]
    points = to_code_points(
        text, flat, encoding, lambda at: f"{field}[{at // 2}].{'end' if at % 2 else 'start'}"
    )
    return tuple(
        Word(
            start=start,
            end=end,
            **{
                key: a_float(body.get(key), f"{field}[{index}].{key}")
                for key in ("x", "y", "width", "height")
            },
            page=an_int(body.get("page"), f"{field}[{index}].page", 1),
        )
        for index, (body, start, end) in enumerate(
            zip(bodies, points[::2], points[1::2], strict=True)
        )
    )


def _span(value: object, place: str) -> RawSpan:
    body = _required(value, place)
    start = an_offset(body.get("start"), f"{place}.start")
    end = an_offset(body.get("end"), f"{place}.end")
    label = a_string(body.get("label"), f"{place}.label")
    span_id = a_string(body.get("id"), f"{place}.id", "")
    if body.keys() <= _PLAIN_KEYS:  # nearly all of them
        return RawSpan(start=start, end=end, label=label, id=span_id)
    fragments = []
    for index, one in enumerate(a_list(body.get("fragments"), f"{place}.fragments")):
        field = f"{place}.fragments[{index}]"
        pair: Sequence[Any] = a_list(one, field)
        if len(pair) != 2:
            raise invalid_field(field, "must be a list of start and end.")
        fragments.append((an_offset(pair[0], f"{field}[0]"), an_offset(pair[1], f"{field}[1]")))
    return RawSpan(
        start=start,
        end=end,
        label=label,
        id=span_id,
        fragments=fragments,
        assertion=a_string(body.get("assertion"), f"{place}.assertion", ""),
        attributes=_attributes(body, place),
    )


def _relation(value: object, place: str) -> RawRelation:
    body = _required(value, place)
    direction = a_string(body.get("direction"), f"{place}.direction", "right")
    if direction not in ("right", "left", "both"):
        raise invalid_field(f"{place}.direction", "must be right, left or both.")
    return RawRelation(
        source=a_string(body.get("source"), f"{place}.source"),
        target=a_string(body.get("target"), f"{place}.target"),
        labels=strings(body.get("labels"), f"{place}.labels"),
        direction=Direction(direction.upper()),
        id=a_string(body.get("id"), f"{place}.id", ""),
    )


def _region(value: object, place: str) -> RawRegion:
    body = _required(value, place)
    return RawRegion(
        x=a_float(body.get("x"), f"{place}.x"),
        y=a_float(body.get("y"), f"{place}.y"),
        width=a_float(body.get("width"), f"{place}.width"),
        height=a_float(body.get("height"), f"{place}.height"),
        rotation=a_float(body.get("rotation"), f"{place}.rotation", 0.0),
        labels=strings(body.get("labels"), f"{place}.labels"),
        text=a_string(body.get("text"), f"{place}.text", ""),
        page=an_int(body.get("page"), f"{place}.page", 1),
        id=a_string(body.get("id"), f"{place}.id", ""),
        attributes=_attributes(body, place),
    )


def _attributes(body: Mapping[str, Any], place: str) -> Mapping[str, str]:
    field = f"{place}.attributes"
    found = an_object(body.get("attributes"), field)
    return {name: a_string(value, f"{field}.{name}") for name, value in found.items()}


def _required(value: object, place: str) -> Mapping[str, Any]:
    if value is None:
        raise invalid_field(place, "must be an object.")
    return an_object(value, place)
