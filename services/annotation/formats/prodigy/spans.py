"""The spans of a Prodigy example, and what is left of them beyond extent and label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.annotation.content import Span
from services.annotation.formats.json_building import merged_spans
from services.annotation.formats.json_fields import a_list, a_string, an_object, an_offset
from services.annotation.spans import RawSpan
from services.common.offsets import OffsetEncoding

_PLACED = frozenset({"start", "end", "label", "id", "assertion", "attributes"})


@dataclass(frozen=True, kw_only=True)
class ReadSpans:
    """What was read.

    Attributes:
        spans: The spans with an extent and a label.
        by_extent: Ids of the spans by start, end and label, as the file counts them.
        by_token: Ids of the spans by each of their tokens; None for a token in several.
        rest: By id of a span, what else the file says about it.
        others: Spans without extent or label, as they stand: shapes on images, highlights.
        labels: Label and field of each span.
        notes: What was merged or set aside.
    """

    spans: tuple[Span, ...]
    by_extent: Mapping[tuple[object, object, object], str]
    by_token: Mapping[int, str | None]
    rest: Mapping[str, Any]
    others: Sequence[Any]
    labels: Sequence[tuple[str, str]]
    notes: Sequence[str]


def read_spans(
    body: Mapping[str, Any], text: str, encoding: OffsetEncoding, field: str
) -> ReadSpans:
    """Return the spans of an example, or raise FIELD_INVALID or OFFSET_INVALID."""
    raw: list[RawSpan] = []
    bodies: list[tuple[Mapping[str, Any], str]] = []
    others: list[Any] = []
    notes: list[str] = []
    for index, value in enumerate(a_list(body.get("spans"), field)):
        place = f"{field}[{index}]"
        one = an_object(value, place)
        if "points" in one or "start" not in one or "end" not in one or not one.get("label"):
            others.append(value)
            notes.append(f"{place}: has no extent in the text or no label; it is kept in extra.")
            continue
        bodies.append((one, place))
        raw.append(
            RawSpan(
                start=an_offset(one["start"], f"{place}.start"),
                end=an_offset(one["end"], f"{place}.end"),
                label=a_string(one["label"], f"{place}.label"),
                id=one["id"] if isinstance(one.get("id"), str) else "",
                assertion=a_string(one.get("assertion"), f"{place}.assertion", ""),
                attributes={
                    name: a_string(said, f"{place}.attributes.{name}")
                    for name, said in an_object(
                        one.get("attributes"), f"{place}.attributes"
                    ).items()
                },
            )
        )
    sides = [f"{place}.{side}" for _, place in bodies for side in ("start", "end")]
    spans, ids, merged = merged_spans(text, raw, encoding, field, sides.__getitem__)
    rest: dict[str, Any] = {}
    by_extent: dict[tuple[object, object, object], str] = {}
    by_token: dict[int, str | None] = {}
    for (one, _), span_id in zip(bodies, ids, strict=True):
        left = _rest(one, text)
        if left:
            rest.setdefault(span_id, left)
        by_extent.setdefault((one["start"], one["end"], one["label"]), span_id)
        for token in _tokens(one):
            taken = by_token.setdefault(token, span_id)
            if taken != span_id:
                by_token[token] = None
    return ReadSpans(
        spans=spans,
        by_extent=by_extent,
        by_token=by_token,
        rest=rest,
        others=others,
        labels=[(one["label"], f"{place}.label") for one, place in bodies],
        notes=notes + merged,
    )


def _rest(one: Mapping[str, Any], text: str) -> dict[str, Any]:
    left = {key: value for key, value in one.items() if key not in _PLACED}
    if "id" in one and not isinstance(one["id"], str):
        left["id"] = one["id"]
    if left.get("text") == text[one["start"] : one["end"]]:
        del left["text"]
        left["has_text"] = True
    return left


def _tokens(one: Mapping[str, Any]) -> range:
    first, last = one.get("token_start"), one.get("token_end")
    if type(first) is not int or type(last) is not int or not 0 <= first <= last < 1_000_000:
        return range(0)
    return range(first, last + 1)
