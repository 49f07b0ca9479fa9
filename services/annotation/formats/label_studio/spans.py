"""The spans of an annotation's text results, and which of them are assertions of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from services.annotation.content import Span
from services.annotation.formats.json_building import merged_spans
from services.annotation.formats.label_studio.extents import (
    Extent,
    extent_of,
    label_key,
    to_points,
)
from services.annotation.spans import MAX_ATTRIBUTES, RawSpan
from services.common.offsets import OffsetEncoding
from services.common.validate import check_line

_MAX_LABEL = 100


@dataclass(frozen=True, kw_only=True)
class About:
    """What reading results needs to know about their task.

    Attributes:
        text: Its text.
        names: What results call the text; empty: anything.
        unit: Of offsets.
        pages: How many it has.
        assertions: Labels that are assertion statuses.
        choices_name: For choices of no control.
        proposed: Whether a model says it: then spans and choices are all that is understood.
    """

    text: str
    names: frozenset[str]
    unit: OffsetEncoding
    pages: int
    assertions: frozenset[str]
    choices_name: str
    proposed: bool = False


@dataclass(kw_only=True)
class TextSpans:
    """The spans of one annotation, before anything refers to them.

    Attributes:
        spans: By id.
        of_result: For the place of a result the ids of the spans that it makes, or asserts.
        asserted: Places of results that only assert, with their extents.
        exact: For the place of a result whether its offsets are those of the value itself.
        by_raw: From the id of results to those of their spans.
        ends: From the id of a result to the span that stands for it in relations.
        labels: The path that first names each label.
        notes: What was merged or set aside.
    """

    spans: dict[str, Span] = field(default_factory=dict)
    of_result: dict[int, list[str]] = field(default_factory=dict)
    asserted: dict[int, tuple[int, int]] = field(default_factory=dict)
    exact: dict[int, bool] = field(default_factory=dict)
    by_raw: dict[str, list[str]] = field(default_factory=dict)
    ends: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @staticmethod
    def of(results: Sequence[Mapping[str, Any]], about: About, path: str) -> TextSpans:
        """Return the spans of results, one per label; see `results.read_results`."""
        found = TextSpans()
        placed = found._placed(results, about, path)
        found._make(results, placed, about, path)
        found._assert(results, about.assertions, path)
        return found

    def _placed(
        self, results: Sequence[Mapping[str, Any]], about: About, path: str
    ) -> list[tuple[int, list[str], tuple[int, int]]]:
        """Return the text results: place, labels, extent in code points."""
        found: list[tuple[int, Extent, list[str]]] = []
        for index, result in enumerate(results):
            place = f"{path}[{index}]"
            key = label_key(result)
            extent = extent_of(result, about.text, about.names, place) if key else None
            if extent is None or not result["value"][key]:
                continue
            labels = list(dict.fromkeys(result["value"][key]))
            for number, label in enumerate(labels):
                check_line(label, f"{place}.value.{key}[{number}]", 1, _MAX_LABEL)
            self.exact[index] = extent.exact
            found.append((index, extent, labels))
        located = [(one, f"{path}[{index}]") for index, one, _ in found]
        points = to_points(about.text, located, about.unit)
        return [
            (index, labels, point) for (index, _, labels), point in zip(found, points, strict=True)
        ]

    def _make(
        self,
        results: Sequence[Mapping[str, Any]],
        placed: Sequence[tuple[int, list[str], tuple[int, int]]],
        about: About,
        path: str,
    ) -> None:
        raw: list[RawSpan] = []
        owners: list[int] = []
        for index, labels, (start, end) in placed:
            names = [one for one in labels if one not in about.assertions]
            if not names:
                self.asserted[index] = (start, end)
            result_id = results[index].get("id")
            for number, label in enumerate(names):
                self.labels.setdefault(label, f"{path}[{index}].value")
                own = result_id if number == 0 and isinstance(result_id, str) else ""
                raw.append(RawSpan(start=start, end=end, label=label, id=own))
                owners.append(index)
        spans, ids, _ = merged_spans(about.text, raw, OffsetEncoding.CODE_POINT, path)
        self.spans = {one.id: one for one in spans}
        seen: set[str] = set()
        for index, span_id in zip(owners, ids, strict=True):
            self.of_result.setdefault(index, []).append(span_id)
            if span_id in seen:
                self.notes.append(
                    f"{path}[{index}]: has the label and extent of an earlier result and was "
                    "merged with it."
                )
            seen.add(span_id)
            result_id = results[index].get("id")
            if isinstance(result_id, str):
                self.by_raw.setdefault(result_id, []).append(span_id)
                self.ends.setdefault(result_id, span_id)

    def _assert(
        self, results: Sequence[Mapping[str, Any]], assertions: frozenset[str], path: str
    ) -> None:
        """Give assertions to spans: those in the same result, and those with the same extent."""
        by_extent: dict[tuple[int, int], list[str]] = {}
        for one in self.spans.values():
            by_extent.setdefault((one.start, one.end), []).append(one.id)
        for index, ids in self.of_result.items():
            value = results[index]["value"]
            inline = [one for one in value[label_key(results[index])] if one in assertions]
            if inline:
                self._give(ids, list(dict.fromkeys(inline)), f"{path}[{index}]")
        for index, extent in self.asserted.items():
            result = results[index]
            labels = list(dict.fromkeys(result["value"][label_key(result)]))
            ids = by_extent.get(extent, [])
            if not ids:
                self.notes.append(
                    f"{path}[{index}]: is an assertion where no span is; kept in extra."
                )
            elif self._give(ids, labels, f"{path}[{index}]"):
                self.of_result[index] = ids
                if isinstance(result.get("id"), str):
                    self.ends.setdefault(result["id"], ids[0])

    def _give(self, ids: Sequence[str], labels: Sequence[str], place: str) -> bool:
        if len(labels) > 1 or any(self.spans[one].assertion for one in ids):
            self.notes.append(f"{place}: is a further assertion of the same span; kept in extra.")
            return False
        for one in ids:
            self.spans[one] = replace(self.spans[one], assertion=labels[0])
        return True

    def give(self, ids: Sequence[str], name: str, value: str) -> bool:
        """Add an attribute to spans; false when there is no place for it."""
        holders = [dict(self.spans[one].attributes) for one in ids]
        if any(name in one or len(one) >= MAX_ATTRIBUTES for one in holders):
            return False
        for one, holder in zip(ids, holders, strict=True):
            pairs = tuple(sorted({**holder, name: value}.items()))
            self.spans[one] = replace(self.spans[one], attributes=pairs)
        return True
