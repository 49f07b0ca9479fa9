"""Writing the project's own JSON lines: everything of a task that an import can bring back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from services.annotation.content import Content, Region, Relation, Span, Word
from services.annotation.domain import Completion, CompletionState, Prediction, prediction_name
from services.annotation.formats.json_fields import to_json
from services.annotation.formats.jsonl.times import to_rfc3339
from services.annotation.formats.line_writer import LineWriter
from services.annotation.formats.records import ExportItem, WriteOptions, Writer
from services.common.offsets import OffsetEncoding, from_code_points

_IMPORTED = "import/"


def writer(options: WriteOptions) -> Writer:
    """Return a writer of one file."""
    return _JsonlWriter(options.encoding or OffsetEncoding.CODE_POINT)


class _JsonlWriter(LineWriter):
    """Writes a task per line.

    One handed-in annotation stands on the line itself, where other tools find its spans; drafts,
    rejected ones and several stand in `completions`.
    """

    wants_predictions = True

    def __init__(self, encoding: OffsetEncoding) -> None:
        super().__init__()
        self._encoding = encoding

    def add(self, item: ExportItem) -> bytes:
        task = item.task
        line: dict[str, Any] = {"id": task.external_id} if task.external_id else {}
        line["text"] = task.text
        offsets = _Offsets(task.text, self._encoding)
        kept = [one for one in task.completions if one.deleted is None]
        if len(kept) == 1 and kept[0].handed_in:
            line |= _content(kept[0].content, offsets)
            line["completion"] = self._about(kept[0], item)
            if not line["completion"]:
                del line["completion"]
        elif kept:
            line["completions"] = [
                self._about(one, item) | _content(one.content, offsets) for one in kept
            ]
        if item.predictions:
            line["predictions"] = [_prediction(one, offsets) for one in item.predictions]
        if task.pages:
            line["pages"] = [
                {"image": one.image, "width": one.width, "height": one.height} for one in task.pages
            ]
        if task.words:
            line["words"] = _words(task.words, offsets)
        line |= _given(
            split=task.split.value,
            metadata=dict(task.metadata),
            tags=list(task.tags),
            group=task.group,
            extra=_extra(task.extra),
            tokenised=task.tokenised,
        )
        return to_json(line).encode() + b"\n"

    def _about(self, one: Completion, item: ExportItem) -> dict[str, Any]:
        source = None
        if one.copied_from:
            task = item.task
            names = [prediction_name(task.project, task.id, its.id) for its in item.predictions]
            if one.copied_from in names:
                source = names.index(one.copied_from)
            else:
                self.omitted["links to predictions that are gone"] += 1
        about = _given(
            author=one.author,
            state="" if one.state is CompletionState.SUBMITTED else one.state.value.lower(),
            ground_truth=one.ground_truth,
            lead_time=one.lead_time,
            created=to_rfc3339(one.created),
            updated=to_rfc3339(one.updated),
        )
        if one.submitted is not None:
            about["submitted"] = to_rfc3339(one.submitted)
        if one.review is not None:
            about |= _given(reviewer=one.review.reviewer, comment=one.review.comment)
            about["reviewed"] = to_rfc3339(one.review.time)
        if source is not None:
            about["prediction"] = source
        return about | _given(extra=_extra(one.content.extra))


class _Offsets:
    """Counts extents of one text in the unit of the file."""

    def __init__(self, text: str, encoding: OffsetEncoding) -> None:
        self._text, self._encoding = text, encoding

    def pairs(self, extents: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        flat = [offset for extent in extents for offset in extent]
        counted = from_code_points(self._text, flat, self._encoding)
        return list(zip(counted[::2], counted[1::2], strict=True))


def _content(content: Content, offsets: _Offsets) -> dict[str, Any]:
    extents = offsets.pairs([(one.start, one.end) for one in content.spans])
    return {
        "spans": [
            _span(one, extent, offsets) for one, extent in zip(content.spans, extents, strict=True)
        ]
    } | _given(
        choices={one.name: list(one.values) for one in content.choices},
        relations=[_relation(one) for one in content.relations],
        regions=[_region(one) for one in content.regions],
    )


def _span(span: Span, extent: tuple[int, int], offsets: _Offsets) -> dict[str, Any]:
    return {"start": extent[0], "end": extent[1], "label": span.label} | _given(
        id=span.id,
        fragments=[list(pair) for pair in offsets.pairs(span.fragments)],
        assertion=span.assertion,
        attributes=dict(span.attributes),
    )


def _relation(relation: Relation) -> dict[str, Any]:
    return {"source": relation.source, "target": relation.target} | _given(
        labels=list(relation.labels),
        direction="" if relation.direction == "RIGHT" else relation.direction.value.lower(),
        id=relation.id,
    )


def _region(region: Region) -> dict[str, Any]:
    return {
        "x": region.x,
        "y": region.y,
        "width": region.width,
        "height": region.height,
        "page": region.page,
    } | _given(
        rotation=region.rotation,
        labels=list(region.labels),
        text=region.text,
        id=region.id,
        attributes=dict(region.attributes),
    )


def _words(words: Sequence[Word], offsets: _Offsets) -> list[dict[str, Any]]:
    extents = offsets.pairs([(one.start, one.end) for one in words])
    return [
        {
            "start": start,
            "end": end,
            "x": one.x,
            "y": one.y,
            "width": one.width,
            "height": one.height,
            "page": one.page,
        }
        for one, (start, end) in zip(words, extents, strict=True)
    ]


def _prediction(one: Prediction, offsets: _Offsets) -> dict[str, Any]:
    extents = offsets.pairs([(span.start, span.end) for span in one.spans])
    extra = _extra(one.extra)
    versions = _given(
        adapters=dict(one.adapters),
        model_versions=dict(one.model_versions),
        choice_adapters=dict(one.choice_adapters),
        choice_model_versions=dict(one.choice_model_versions),
        assertion_adapter=one.assertion_adapter,
        assertion_model_version=one.assertion_model_version,
    )
    if versions:
        extra = extra | {"spanloop": versions}
    return {
        "model_version": one.generation.removeprefix(_IMPORTED),
        "spans": [
            {"start": start, "end": end, "label": span.label, "score": span.score}
            | _given(assertion=span.assertion, assertion_score=span.assertion_score)
            for span, (start, end) in zip(one.spans, extents, strict=True)
        ],
    } | _given(
        choices=[
            {"name": choice.name, "value": choice.value, "score": choice.score}
            for choice in one.choices
        ],
        extra=extra,
        created=to_rfc3339(one.created),
    )


def _extra(extra: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(extra) if extra else {}
    return found


def _given(**values: Any) -> dict[str, Any]:
    """Return what is not empty, false or 0: the reader takes what is absent for that."""
    return {name: value for name, value in values.items() if value}
