"""Writing doccano's JSON lines, each text in the plainest shape that holds its annotation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.annotation.content import Content, Direction, Relation, Span
from services.annotation.formats.json_building import has_other_extra, own_extra
from services.annotation.formats.json_fields import to_json
from services.annotation.formats.line_writer import LineWriter
from services.annotation.formats.losses import count_task
from services.annotation.formats.records import ExportItem, WriteOptions, Writer
from services.common.offsets import OffsetEncoding, from_code_points

_NAME = "doccano"


def writer(options: WriteOptions) -> Writer:
    """Return a writer of one file."""
    return _DoccanoWriter(options)


class _DoccanoWriter(LineWriter):
    """Writes a text per line with the chosen annotation."""

    def __init__(self, options: WriteOptions) -> None:
        super().__init__()
        self._encoding = options.encoding or OffsetEncoding.CODE_POINT
        self._choices_name = options.choices_name

    def add(self, item: ExportItem) -> bytes:
        task = item.task
        if not task.text:
            self.omitted["tasks without a text"] += 1
            return b""
        count_task(self.omitted, item, "metadata", "choices")
        line: dict[str, Any] = {"id": task.external_id} if task.external_id else {}
        line["text"] = task.text
        if item.chosen is not None:
            line |= self._annotation(task.text, item.chosen.content)
        if task.metadata:
            line["meta"] = dict(task.metadata)
        extras = [task.extra] if item.chosen is None else [task.extra, item.chosen.content.extra]
        self._count("extra of other formats", sum(has_other_extra(one, _NAME) for one in extras))
        for extra in extras:
            line = own_extra(extra, _NAME) | line
        return to_json(line).encode() + b"\n"

    def _annotation(self, text: str, content: Content) -> dict[str, Any]:
        spans = [one for one in content.spans if not one.fragments]
        self._count("discontinuous spans", len(content.spans) - len(spans))
        self._count("assertions", sum(bool(one.assertion) for one in spans))
        self._count("attributes", sum(len(one.attributes) for one in spans))
        if not content.spans and not content.choices and own_extra(content.extra, _NAME):
            return {}  # texts instead of classes, which `add` writes back
        ids = {one.id for one in spans}
        relations = [one for one in content.relations if one.source in ids and one.target in ids]
        self._count("relations", len(content.relations) - len(relations))
        classes = [value for one in content.choices for value in one.values]
        for one in content.choices:
            self._count("names of choices", int(one.name != self._choices_name))
        self._count("choices", len(classes) - len(set(classes)))
        classes = list(dict.fromkeys(classes))
        if classes and not spans:
            return {"label": classes}
        flat = [offset for one in spans for offset in (one.start, one.end)]
        counted = from_code_points(text, flat, self._encoding)
        extents = list(zip(counted[::2], counted[1::2], strict=True))
        numbered = [one.id for one in spans] == [f"s{place + 1}" for place in range(len(spans))]
        cats = {"cats": classes} if classes else {}
        if numbered and not relations:
            triples = [
                [start, end, one.label] for one, (start, end) in zip(spans, extents, strict=True)
            ]
            return {"entities": triples} | cats if cats else {"label": triples}
        return {
            "entities": _entities(spans, extents),
            "relations": [body for one in relations for body in self._relation(one)],
        } | cats

    def _relation(self, one: Relation) -> list[dict[str, Any]]:
        """Return a relation, once for each of its labels: doccano's have one type."""
        self._count("relations without a direction", int(one.direction is Direction.BOTH))
        self._count("relations of several labels", int(len(one.labels) > 1))
        ends = (one.source, one.target)
        if one.direction is Direction.LEFT:
            ends = (one.target, one.source)
        about: dict[str, Any] = {"id": _number(one.id)} if one.id else {}
        return [
            about | {"from_id": _number(ends[0]), "to_id": _number(ends[1]), "type": label}
            for label in one.labels or ("",)
        ]

    def _count(self, what: str, count: int) -> None:
        if count:
            self.omitted[what] += count


def _entities(spans: Sequence[Span], extents: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
    return [
        {"id": _number(one.id), "start_offset": start, "end_offset": end, "label": one.label}
        for one, (start, end) in zip(spans, extents, strict=True)
    ]


def _number(span_id: str) -> int | str:
    """Return an id as doccano has it, a number, if it is one that reads back as the same text."""
    plain = span_id.isascii() and span_id.isdigit() and str(int(span_id)) == span_id
    return int(span_id) if plain else span_id
