"""How annotations lie in documents, in few bytes: what is empty is left out.

A span is ``[start, end, label, id]``, with an object behind it when there is more to say.
"""

from __future__ import annotations

from typing import Any

from services.annotation.content import (
    Choices,
    Content,
    Direction,
    Region,
    Relation,
    Span,
)
from services.common.store.port import Document


def content_fields(content: Content) -> Document:
    """Return the fields of a content within the object that it belongs to."""
    fields: Document = {"spans": [span_list(span) for span in content.spans]}
    if content.choices:
        fields["choices"] = [[one.name, list(one.values)] for one in content.choices]
    if content.relations:
        fields["relations"] = [
            [one.id, one.source, one.target, list(one.labels), one.direction.value]
            for one in content.relations
        ]
    if content.regions:
        fields["regions"] = [_region_document(one) for one in content.regions]
    if content.extra:
        fields["extra"] = content.extra
    return fields


def to_content(body: Document) -> Content:
    """Read a content from the object that it belongs to."""
    return Content(
        spans=tuple(to_span(one) for one in body["spans"]),
        choices=tuple(
            Choices(name=name, values=tuple(values)) for name, values in body.get("choices", ())
        ),
        relations=tuple(
            Relation(
                id=relation_id,
                source=source,
                target=target,
                labels=tuple(labels),
                direction=Direction(direction),
            )
            for relation_id, source, target, labels, direction in body.get("relations", ())
        ),
        regions=tuple(_to_region(one) for one in body.get("regions", ())),
        extra=body.get("extra", ""),
    )


def span_list(span: Span) -> list[Any]:
    """Return the stored form of a span."""
    stored: list[Any] = [span.start, span.end, span.label, span.id]
    if span.fragments or span.assertion or span.attributes:
        more: Document = {}
        if span.fragments:
            more["fragments"] = [list(one) for one in span.fragments]
        if span.assertion:
            more["assertion"] = span.assertion
        if span.attributes:
            more["attributes"] = [list(one) for one in span.attributes]
        stored.append(more)
    return stored


def to_span(stored: list[Any]) -> Span:
    """Read a span."""
    if len(stored) == 4:
        start, end, label, span_id = stored
        return Span(start=start, end=end, label=label, id=span_id)
    start, end, label, span_id, more = stored
    return Span(
        start=start,
        end=end,
        label=label,
        id=span_id,
        fragments=tuple((first, last) for first, last in more.get("fragments", ())),
        assertion=more.get("assertion", ""),
        attributes=_attributes(more),
    )


def _region_document(region: Region) -> Document:
    body: Document = {
        "id": region.id,
        "box": [region.x, region.y, region.width, region.height, region.rotation],
        "labels": list(region.labels),
        "page": region.page,
    }
    if region.text:
        body["text"] = region.text
    if region.attributes:
        body["attributes"] = [list(one) for one in region.attributes]
    return body


def _to_region(body: Document) -> Region:
    x, y, width, height, rotation = map(float, body["box"])
    return Region(
        x=x,
        y=y,
        width=width,
        height=height,
        rotation=rotation,
        labels=tuple(body["labels"]),
        text=body.get("text", ""),
        page=body["page"],
        id=body["id"],
        attributes=_attributes(body),
    )


def _attributes(body: Document) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in body.get("attributes", ()))
