"""Documents of WebAnno TSV as tasks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import BinaryIO

from services.annotation.content import Direction
from services.annotation.contents import RawContent, RawRelation, checked_content
from services.annotation.domain import Split
from services.annotation.formats.columns.webanno import marks2
from services.annotation.formats.columns.webanno.documents import Document, documents
from services.annotation.formats.columns.webanno.layers import NAMED_ENTITY
from services.annotation.formats.columns.webanno.marks import Link, Mark, Marks, read_units
from services.annotation.formats.columns.webanno.texts import placed
from services.annotation.formats.records import (
    ParsedCompletion,
    ParsedTask,
    ReadOptions,
    Record,
    refusal,
)
from services.annotation.spans import RawSpan
from services.annotation.tasks import (
    check_external_id,
    check_group,
    check_metadata,
    check_tags,
    check_task_text,
)
from services.common.errors import InvalidArgumentError, invalid_field
from services.common.offsets import OffsetEncoding

KEY = "webanno_tsv"
LAYER = "layer"
_LINE = re.compile(r"line (\d+)")


def read(file: BinaryIO, options: ReadOptions) -> Iterator[Record]:
    """Yield the documents of a file; see `services.annotation.formats.records.Reader`."""
    for ordinal, document in enumerate(documents(file, options), start=1):
        if document.refused is not None:
            yield document.refused
            continue
        try:
            yield _task(document, ordinal, options)
        except InvalidArgumentError as error:
            place = _LINE.fullmatch(error.metadata.get("field", ""))
            yield refusal(document.line if place is None else int(place[1]), error)


def _task(document: Document, ordinal: int, options: ReadOptions) -> ParsedTask:
    text, extents, notes = placed(document, options.encoding)
    check_task_text(text, "text")
    marks = Marks(document, extents)
    if document.version[0] == 2:
        notes += marks2.read_units(document, marks, options.repair)
    else:
        read_units(document, marks)
    if document.ids:
        notes.append("Sentence.id: ids of sentences are not kept.")
    spans, ids = _spans(document, marks.found, notes)
    relations = _relations(document, marks.links, ids, notes)
    content = checked_content(
        text,
        0,
        RawContent(spans=list(spans.values()), relations=relations),
        OffsetEncoding.CODE_POINT,
        "document",
    )
    labels: dict[str, tuple[int, str]] = {}
    for mark, one in zip(marks.found, (ids.get(mark) for mark in marks.found), strict=True):
        if one is not None:
            labels.setdefault(spans[one].label, (mark.line, mark.layer.short))
    task = document.task or {}
    # A document without layers was never annotated.
    is_open = bool(task["open"]) if "open" in task else not document.layers
    declared = [layer.declared for layer in document.layers if layer.declared]
    return ParsedTask(
        line=document.line,
        ordinal=ordinal,
        text=text,
        completions=() if is_open else (ParsedCompletion(content=content),),
        labels={} if is_open else labels,
        external_id=check_external_id(_said(task, "id"), "id"),
        split=_split(_said(task, "split")),
        tags=check_tags(_listed(task, "tags"), "tags"),
        group=check_group(_said(task, "group"), "group"),
        metadata=_metadata(task.get("metadata", {})),
        tokenised=task.get("tokenised") is True,
        extra=json.dumps({KEY: {"layers": declared}}, ensure_ascii=False) if declared else "",
        notes=tuple(notes),
    )


def _spans(
    document: Document, found: list[Mark], notes: list[str]
) -> tuple[dict[str, RawSpan], dict[Mark, str]]:
    """Return spans by id, and the id that each mark has; none for what cannot be kept."""
    beyond = {one.get("number"): one for one in document.spans}
    spans: dict[str, RawSpan] = {}
    ids: dict[Mark, str] = {}
    known: dict[tuple[int, int, str], str] = {}
    alike = 0
    empty = 0
    raw = sorted(
        ((_span(mark, beyond.get(mark.number) if mark.number else None), mark) for mark in found),
        key=lambda one: (one[0].start, one[0].end, one[0].label),
    )
    for span, mark in raw:
        extent = (span.start, span.end, span.label)
        if span.start == span.end:
            empty += 1
        elif extent in known:
            ids[mark] = known[extent]
            alike += 1
        else:
            known[extent] = ids[mark] = f"s{len(spans) + 1}"
            spans[ids[mark]] = RawSpan(
                start=span.start,
                end=span.end,
                label=span.label,
                id=ids[mark],
                assertion=span.assertion,
                attributes=span.attributes,
            )
    if alike:
        notes.append(
            f"spans: {alike} with the same label and extent as another one were read as that one."
        )
    if empty:
        notes.append(f"spans: {empty} without a character were left out.")
    return spans, ids


def _span(mark: Mark, beyond: Mapping[str, object] | None) -> RawSpan:
    values = dict(mark.values)
    label = values.pop(mark.layer.label, "") or mark.layer.short
    if mark.layer.name != NAMED_ENTITY:
        values.setdefault(LAYER, mark.layer.name)
    start, end, assertion = mark.begin, mark.end, ""
    if beyond is not None:
        values.pop(LAYER, None)
        values |= _mapping(beyond.get("attributes", {}))
        assertion = _said(beyond, "assertion")
        label = _said(beyond, "label") or label
        start -= _count(beyond, "before")
        end += _count(beyond, "after")
    return RawSpan(start=start, end=end, label=label, assertion=assertion, attributes=values)


def _relations(
    document: Document, links: list[Link], ids: dict[Mark, str], notes: list[str]
) -> list[RawRelation]:
    found: list[RawRelation] = []
    left = sum(link.source not in ids or link.target not in ids for link in links)
    if left:
        notes.append(f"relations: {left} of spans without a character were left out.")
    lost = sorted({name for link in links for name in link.lost})
    notes += [f"relations: feature {name} has no place and was left out." for name in lost]
    numbers = {mark.number: one for mark, one in ids.items() if mark.number}
    for link in links:
        if link.source in ids and link.target in ids:
            labels = [link.label] if link.label else []
            found.append(
                RawRelation(source=ids[link.source], target=ids[link.target], labels=labels)
            )
    for place, one in enumerate(document.relations):
        ends = [numbers.get(_count(one, name)) for name in ("source", "target")]
        if ends[0] is None or ends[1] is None:
            raise invalid_field(f"relation {place + 1}", "leads to no annotation.")
        direction = _said(one, "direction") or Direction.RIGHT.value
        if direction not in set(Direction):
            raise invalid_field(f"relation {place + 1}", "must point RIGHT, LEFT or BOTH.")
        found.append(
            RawRelation(
                source=ends[0],
                target=ends[1],
                labels=_listed(one, "labels"),
                direction=Direction(direction),
            )
        )
    return found


def _said(said: Mapping[str, object], name: str) -> str:
    value = said.get(name, "")
    if not isinstance(value, str):
        raise invalid_field(name, "must be a text.")
    return value


def _count(said: Mapping[str, object], name: str) -> int:
    value = said.get(name, 0)
    if type(value) is not int or value < 0:
        raise invalid_field(name, "must be a number, 0 or more.")
    return value


def _listed(said: Mapping[str, object], name: str) -> list[str]:
    value = said.get(name, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise invalid_field(name, "must be a list of texts.")
    return value


def _mapping(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        raise invalid_field("attributes", "must be an object of texts.")
    return value


def _metadata(value: object) -> dict[str, str]:
    return check_metadata(_mapping(value), "metadata")


def _split(value: str) -> Split:
    if value not in set(Split):
        raise invalid_field("split", "must be train, dev or test.")
    return Split(value)
