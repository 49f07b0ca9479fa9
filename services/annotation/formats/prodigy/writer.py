"""Writing Prodigy's JSON lines: an example per task, with the chosen annotation as its answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.annotation.content import Content, Direction, Relation, Span
from services.annotation.domain import Completion, CompletionState, Task
from services.annotation.formats.json_building import (
    has_other_extra,
    kept_list,
    kept_object,
    own_extra,
)
from services.annotation.formats.json_fields import to_json
from services.annotation.formats.line_writer import LineWriter
from services.annotation.formats.losses import count_task
from services.annotation.formats.records import ExportItem, WriteOptions, Writer
from services.annotation.formats.spacy_.cats import write_cats
from services.common.offsets import OffsetEncoding, from_code_points

_NAME = "prodigy"


def writer(options: WriteOptions) -> Writer:
    """Return a writer of one file."""
    return _ProdigyWriter(options)


class _ProdigyWriter(LineWriter):
    """Writes a task per line; what an import kept of its example is written back."""

    def __init__(self, options: WriteOptions) -> None:
        super().__init__()
        self._encoding = options.encoding or OffsetEncoding.CODE_POINT
        self._choices_name = options.choices_name

    def add(self, item: ExportItem) -> bytes:
        task, chosen = item.task, item.chosen
        image = not task.text and len(task.pages) == 1
        if not task.text and not image:
            self.omitted["tasks without a text"] += 1
            return b""
        count_task(self.omitted, item, "metadata", "choices", *(("pages",) if image else ()))
        extras = [task.extra] if chosen is None else [task.extra, chosen.content.extra]
        self._count("extra of other formats", sum(has_other_extra(one, _NAME) for one in extras))
        line: dict[str, Any] = {"image": task.pages[0].image} if image else {"text": task.text}
        if task.external_id:
            line["id"] = task.external_id
        kept = own_extra(task.extra, _NAME)
        meta = _meta(task, kept)
        if meta is not None:
            line["meta"] = meta
        if chosen is not None:
            line |= self._annotation(task, chosen, kept)
            for key in ("spans", "relations", "accept", "label", "cats", "answer"):
                kept.pop(key, None)  # of an example that was ignored then
        if image:
            line |= {
                key: size
                for key, size in (("width", task.pages[0].width), ("height", task.pages[0].height))
                if size
            }
        return to_json({**kept, **line}).encode() + b"\n"

    def _annotation(
        self, task: Task, chosen: Completion, kept: Mapping[str, Any]
    ) -> dict[str, Any]:
        content = chosen.content
        rest = own_extra(content.extra, _NAME)
        line: dict[str, Any] = {}
        spans = self._spans(task.text, content, rest)
        line["spans"] = [*spans.values(), *kept_list(rest, "other_spans")]
        relations = self._relations(content, spans, rest)
        if relations:
            line["relations"] = relations
        line |= self._choices(content, rest, kept)
        if chosen.author not in ("", kept.get("_annotator_id") or kept.get("_session_id")):
            line["_annotator_id"] = chosen.author
        if chosen.submitted is not None:
            line["_timestamp"] = chosen.submitted // 1_000_000
        rejected = chosen.state is CompletionState.REJECTED
        return line | {"answer": "reject" if rejected else "accept"}

    def _spans(
        self, text: str, content: Content, rest: Mapping[str, Any]
    ) -> dict[str, dict[str, Any]]:
        spans = [one for one in content.spans if not one.fragments]
        self._count("discontinuous spans", len(content.spans) - len(spans))
        flat = [offset for one in spans for offset in (one.start, one.end)]
        counted = from_code_points(text, flat, self._encoding)
        numbered = [one.id for one in content.spans] == [
            f"s{place + 1}" for place in range(len(content.spans))
        ]
        found = {}
        for one, start, end in zip(spans, counted[::2], counted[1::2], strict=True):
            left = dict(kept_object(kept_object(rest, "spans"), one.id))
            if left.pop("has_text", False):
                left["text"] = text[one.start : one.end]
            found[one.id] = left | _span(one, start, end, numbered=numbered)
            if "id" in left and numbered:
                found[one.id]["id"] = left["id"]
        return found

    def _relations(
        self, content: Content, spans: Mapping[str, Any], rest: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        lines: list[dict[str, Any]] = []
        for place, one in enumerate(content.relations):
            if one.source not in spans or one.target not in spans:
                self._count("relations", 1)
                continue
            self._count("relations without a direction", int(one.direction is Direction.BOTH))
            self._count("relations of several labels", int(len(one.labels) > 1))
            left = kept_object(kept_object(rest, "relations"), one.id)
            if one.id and one.id != f"r{place + 1}":
                left = left | {"id": one.id}
            lines += [left | _relation(one, spans, label) for label in one.labels or ("",)]
        return [*lines, *kept_list(rest, "other_relations")]

    def _choices(
        self, content: Content, rest: Mapping[str, Any], kept: Mapping[str, Any]
    ) -> dict[str, Any]:
        for one in content.choices:
            self._count("names of choices", int(one.name != self._choices_name))
        values = [value for one in content.choices for value in one.values]
        unique = list(dict.fromkeys(values))
        self._count("choices", len(values) - len(unique))
        if rest.get("cats"):
            return {"cats": write_cats(content.choices, rest["cats"])}
        if not unique:
            return {}
        options = {} if "options" in kept else {"options": [{"id": v, "text": v} for v in unique]}
        return {"accept": unique} | options

    def _count(self, what: str, count: int) -> None:
        if count:
            self.omitted[what] += count


def _span(one: Span, start: int, end: int, *, numbered: bool) -> dict[str, Any]:
    body: dict[str, Any] = {"start": start, "end": end, "label": one.label}
    if not numbered:
        body["id"] = one.id
    if one.assertion:
        body["assertion"] = one.assertion
    if one.attributes:
        body["attributes"] = dict(one.attributes)
    return body


def _relation(one: Relation, spans: Mapping[str, Any], label: str) -> dict[str, Any]:
    ends = [one.source, one.target]
    if one.direction is Direction.LEFT:
        ends.reverse()
    keys = ("start", "end", "token_start", "token_end", "label")
    head, child = ({key: spans[end][key] for key in keys if key in spans[end]} for end in ends)
    return {"head_span": head, "child_span": child, "label": label}


def _meta(task: Task, kept: dict[str, Any]) -> Any:
    """Return the notes, joined with those that no metadata could hold."""
    left = kept.pop("meta", None)
    if left is None or isinstance(left, dict):
        return {**task.metadata, **(left or {})} or None
    return dict(task.metadata) or left
