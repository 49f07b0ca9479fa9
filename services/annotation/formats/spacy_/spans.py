"""Spans in spaCy's terms: entities, which never overlap, and groups of spans, which may."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from services.annotation.content import Choices, Content, Span
from services.annotation.formats.json_building import (
    extra_of,
    has_other_extra,
    kept_list,
    kept_object,
    merged_spans,
    own_extra,
)
from services.annotation.formats.losses import count_id, count_task
from services.annotation.formats.records import ExportItem
from services.annotation.spans import RawSpan
from services.common.offsets import OffsetEncoding

NAME = "spacy"
DEFAULT_GROUP = "sc"
# Attributes of spans that spaCy has a place for.
KB_ID, ENT_ID = "kb_id", "ent_id"


@dataclass(frozen=True, kw_only=True)
class RawGroups:
    """Spans as a file has them; each `RawSpan` with the paths of its sides for refusals."""

    entities: list[tuple[RawSpan, str, str]] = field(default_factory=list)
    groups: dict[str, list[tuple[RawSpan, str, str]]] = field(default_factory=dict)


def joined_content(
    text: str,
    raw: RawGroups,
    encoding: OffsetEncoding,
    choices: tuple[Choices, ...],
    rest: Mapping[str, Any],
    path: str,
) -> tuple[Content, list[str]]:
    """Return the content of a text, and notes.

    A span that is both an entity and in groups is one span. Which groups there were is kept in
    `extra`, unless it is the one that entities that overlap are written to.

    Args:
        text: The text.
        raw: The spans.
        encoding: The unit of their offsets.
        choices: What was chosen.
        rest: What else to keep.
        path: Where the annotation stands in the file.
    """
    lists = [("", raw.entities), *raw.groups.items()]
    flat = [(key, one) for key, listed in lists for one in listed]
    sides = [side for _, (_, start, end) in flat for side in (start, end)]
    seen: dict[tuple[int, int, str], set[str]] = {}
    spans, ids, notes = merged_spans(
        text, [one for _, (one, _, _) in flat], encoding, path, sides.__getitem__
    )
    # Only a span that is twice in one list is worth telling.
    told = iter(notes)
    kept_notes = []
    for key, (one, _, _) in flat:
        lists_of = seen.setdefault((one.start, one.end, one.label), set())
        if lists_of:
            note = next(told)
            if key in lists_of:
                kept_notes.append(note)
        lists_of.add(key)
    groups: dict[str, list[str]] = {}
    for (key, _), span_id in zip(flat, ids, strict=True):
        listed = groups.setdefault(key, [])
        if span_id not in listed:
            listed.append(span_id)
    entities = groups.pop("", [])
    plain = set(groups) <= {DEFAULT_GROUP} and not set(entities) & set(
        groups.get(DEFAULT_GROUP, ())
    )
    left = dict(rest)
    if groups and not plain:
        left |= {"entities": entities, "groups": groups}
    return (
        Content(spans=spans, choices=choices, extra=extra_of(NAME, left, path)),
        kept_notes,
    )


@dataclass(frozen=True, kw_only=True)
class WrittenSpan:
    """A span on tokens: from token `first` to before `behind`."""

    span: Span
    first: int
    behind: int


@dataclass(frozen=True, kw_only=True)
class WrittenGroups:
    """Spans by where they are written."""

    entities: list[WrittenSpan]
    groups: Mapping[str, list[WrittenSpan]]


def written_groups(
    content: Content, tokens: Sequence[tuple[int, int]] | None, omitted: Counter[str]
) -> WrittenGroups:
    """Return the spans that spaCy can hold as entities and groups; count the others.

    Without `tokens` spans may begin anywhere. Of entities that overlap, the one that begins first,
    of those the longest, stays one; the others go to the group `DEFAULT_GROUP`.
    """
    begins = {start: place for place, (start, _) in enumerate(tokens or ())}
    ends = {end: place + 1 for place, (_, end) in enumerate(tokens or ())}
    kept = own_extra(content.extra, NAME)
    found: dict[str, WrittenSpan] = {}
    for one in content.spans:
        if one.fragments:
            omitted["discontinuous spans"] += 1
            continue
        if tokens is None:
            first, behind = one.start, one.end
        elif one.start in begins and one.end in ends:
            first, behind = begins[one.start], ends[one.end]
        else:
            omitted["spans that cut words"] += 1
            continue
        found[one.id] = WrittenSpan(span=one, first=first, behind=behind)
    groups: dict[str, list[WrittenSpan]] = {}
    grouped: set[str] = set()
    entity_ids = kept_list(kept, "entities")
    for key in kept_object(kept, "groups"):
        ids = kept_list(kept["groups"], key)
        groups[key] = [one for span_id, one in found.items() if span_id in ids]
        grouped.update(one.span.id for one in groups[key] if one.span.id not in entity_ids)
    entities: list[WrittenSpan] = []
    behind = 0
    for written in sorted(found.values(), key=lambda one: (one.first, -one.behind, one.span.label)):
        if written.span.id in grouped:
            continue
        if written.first < behind:
            groups.setdefault(DEFAULT_GROUP, []).append(written)
            continue
        entities.append(written)
        behind = written.behind
    return WrittenGroups(entities=entities, groups=groups)


def count_losses(omitted: Counter[str], item: ExportItem, choices_name: str, *holds: str) -> bool:
    """Count what spaCy has no place for, and return whether the task has a text to write.

    `holds` are kinds of `count_task`, and names of attributes of spans.
    """
    task = item.task
    if not task.text:
        omitted["tasks without a text"] += 1
        return False
    count_task(omitted, item, "choices", *holds)
    count_id(omitted, item)
    extras = [task.extra]
    if item.chosen is not None:
        content = item.chosen.content
        extras.append(content.extra)
        omitted["relations"] += len(content.relations)
        names = [one.name != choices_name for one in content.choices]
        omitted["names of choices"] += sum(names)
        for span in content.spans:
            omitted["assertions"] += int(bool(span.assertion))
            omitted["attributes"] += sum(name not in holds for name, _ in span.attributes)
    omitted["extra of other formats"] += sum(has_other_extra(one, NAME) for one in extras)
    for name in [name for name, count in omitted.items() if not count]:
        del omitted[name]
    return True


def with_attributes(span: RawSpan, **values: str) -> RawSpan:
    """Return a span with those of these attributes that are not empty."""
    return replace(span, attributes={name: one for name, one in values.items() if one})
