"""The entries of one annotation file as the content of a completion."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from services.annotation.content import Content, Direction
from services.annotation.contents import RawContent, RawRelation, checked_content
from services.annotation.formats.brat.extents import extents_of, joined_up
from services.annotation.formats.brat.standoff import (
    Entry,
    Equivalence,
    EventLine,
    Other,
    RelationLine,
    Remark,
    TextBound,
)
from services.annotation.spans import MAX_ATTRIBUTES, MAX_LABEL, RawSpan
from services.common.errors import InvalidArgumentError, invalid_field
from services.common.offsets import OffsetEncoding
from services.common.validate import check_line, check_text

PLAIN_ARGS = ("Arg1", "Arg2")


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """What an annotation file says: content, where each label is first named, and remarks."""

    content: Content
    labels: Mapping[str, tuple[int, str]]
    notes: tuple[str, ...]


@dataclass(kw_only=True, slots=True)
class _Span:
    id: str
    line: int
    label: str
    pieces: tuple[tuple[int, int], ...]
    assertion: str = ""
    attributes: dict[str, str] = field(default_factory=dict)


def parse(
    text: str,
    entries: Iterable[Entry],
    name: str,
    encoding: OffsetEncoding | None,
    assertions: frozenset[str],
) -> Parsed:
    """Turn the entries of an annotation file into a content.

    Args:
        text: The text that they are about.
        entries: As `entries_of` yields them.
        name: Name of the file, for refusals and notes.
        encoding: Units of the offsets; None: code points, as brat counts.
        assertions: Names of the labels that are assertion statuses in the labelling config.

    Raises:
        InvalidArgumentError: OFFSET_INVALID for offsets outside the text or that do not fit the
            text column; FIELD_INVALID for a reference to nothing, or an id that is there twice.
    """
    builder = _Builder(text, name, encoding, assertions)
    remarks: list[Remark] = []
    events: list[EventLine] = []
    links: list[RelationLine | Equivalence] = []
    bound: list[TextBound] = []
    for entry in entries:
        match entry:
            case TextBound():
                bound.append(entry)
            case EventLine():
                events.append(entry)
            case RelationLine() | Equivalence():
                links.append(entry)
            case Remark():
                remarks.append(entry)
            case Other():
                builder.keep(entry.line, entry.raw, "a line of a kind that is not known")
    builder.add_spans(bound)
    builder.add_events(events)
    for link in links:
        builder.add_link(link)
    builder.add_remarks(remarks)
    return builder.end()


class _Builder:
    def __init__(
        self,
        text: str,
        name: str,
        encoding: OffsetEncoding | None,
        assertions: frozenset[str],
    ) -> None:
        self._text = text
        self._name = name
        self._encoding = encoding
        self._assertions = assertions
        self._spans: dict[str, _Span] = {}  # a span merged into another is there under both ids
        self._events: dict[str, _Span] = {}
        self._relations: list[RawRelation] = []
        self._link_ids: set[str] = set()
        self._groups = 0
        self._labels: dict[str, tuple[int, str]] = {}
        self._notes: list[str] = []
        # What has no place in the content, and goes back into the file as it is:
        self._lines: list[str] = []
        self._args: dict[str, str] = {}
        self._statuses: dict[str, str] = {}

    def _field(self, line: int) -> str:
        return f"{self._name}:{line}"

    def keep(self, line: int, raw: str, why: str) -> None:
        """Keep a line for the next export to this format, with a note."""
        self._lines.append(raw)
        self._notes.append(f"{self._field(line)}: {why}; kept for exports to brat only.")

    def add_spans(self, entries: list[TextBound]) -> None:
        """Add the text-bound lines."""
        places = extents_of(self._text, entries, self._encoding, self._field)
        same: dict[tuple[str, tuple[tuple[int, int], ...]], _Span] = {}
        for entry, pieces in zip(entries, places, strict=True):
            where = self._field(entry.line)
            if entry.id in self._spans:
                raise invalid_field(where, f"the id {entry.id} is there twice.")
            check_line(entry.label, where, 1, MAX_LABEL)
            joined = joined_up(pieces, where)
            if len(joined) < len(pieces):
                self._notes.append(f"{where}: pieces that touch were joined.")
            known = same.get((entry.label, joined))
            if known is not None:
                self._spans[entry.id] = known
                self._notes.append(
                    f"{where}: {entry.id} has the label and extent of {known.id}: read as one span."
                )
                continue
            span = _Span(id=entry.id, line=entry.line, label=entry.label, pieces=joined)
            self._spans[entry.id] = same[entry.label, joined] = span
            self._labels.setdefault(entry.label, (entry.line, where))

    def add_events(self, entries: list[EventLine]) -> None:
        """Add events: a note of its id at the trigger, and a relation for each argument."""
        for entry in entries:
            where = self._field(entry.line)
            if entry.id in self._events or entry.id in self._spans:
                raise invalid_field(where, f"the id {entry.id} is there twice.")
            trigger = self._spans.get(entry.trigger)
            if trigger is None:
                raise self._nothing(entry.line, entry.trigger)
            self._events[entry.id] = trigger
            token = entry.id if entry.type == trigger.label else f"{entry.id}:{entry.type}"
            known = trigger.attributes.get("event")
            trigger.attributes["event"] = token if known is None else f"{known} {token}"
            check_text(trigger.attributes["event"], where, 1, 1_000)
        for entry in entries:
            source = self._events[entry.id]
            for number, (role, key) in enumerate(entry.args, start=1):
                target = self._target(entry.line, key)
                place = f"{entry.id}.{number}"
                if key != target.id:
                    self._args[place] = key
                self._relate(entry.line, source.id, target.id, role, Direction.RIGHT, place)

    def add_link(self, entry: RelationLine | Equivalence) -> None:
        """Add a relation, or the chain of relations of an equivalence."""
        if isinstance(entry, Equivalence):
            self._groups += 1
            group = f"*{self._groups}"
            ends = [self._target(entry.line, key) for key in entry.members]
            if any(key != end.id for key, end in zip(entry.members, ends, strict=True)):
                self._args[group] = " ".join(entry.members)
            for number, (one, other) in enumerate(itertools.pairwise(ends), start=1):
                place = f"{group}.{number}"
                self._relate(entry.line, one.id, other.id, entry.type, Direction.BOTH, place)
            return
        where = self._field(entry.line)
        if entry.id in self._link_ids:
            raise invalid_field(where, f"the id {entry.id} is there twice.")
        self._link_ids.add(entry.id)
        if len(entry.args) != 2:
            raw = " ".join([entry.type, *(f"{name}:{key}" for name, key in entry.args)])
            self.keep(entry.line, f"{entry.id}\t{raw}", "a relation has two arguments here")
            return
        args = sorted(entry.args) if {name for name, _ in entry.args} == set(PLAIN_ARGS) else None
        (first, source_id), (second, target_id) = args or entry.args
        source, target = self._target(entry.line, source_id), self._target(entry.line, target_id)
        if (first, second) != PLAIN_ARGS or source.id != source_id or target.id != target_id:
            self._args[entry.id] = f"{first}:{source_id} {second}:{target_id}"
        self._relate(entry.line, source.id, target.id, entry.type, Direction.RIGHT, entry.id)

    def add_remarks(self, entries: list[Remark]) -> None:
        """Add attributes, normalisations and notes to the spans that they are about."""
        about = {entry.target for entry in entries}
        ids = {entry.id for entry in entries}
        for entry in entries:
            span = self._spans.get(entry.target) or self._events.get(entry.target)
            if span is None or entry.id in about:
                if span is None and entry.target not in self._link_ids | ids:
                    raise self._nothing(entry.line, entry.target)
                self.keep(entry.line, entry.raw, "about something that is no span")
            elif not self._remark(span, entry):
                self.keep(entry.line, entry.raw, "does not fit the attributes of its span")

    def end(self) -> Parsed:
        """Return what was added."""
        extra: dict[str, object] = {}
        if self._lines:
            extra["lines"] = self._lines
        if self._args:
            extra["args"] = self._args
        if self._statuses:
            extra["assertions"] = self._statuses
        spans = [
            RawSpan(
                start=span.pieces[0][0],
                end=span.pieces[-1][1],
                label=span.label,
                id=span.id,
                fragments=span.pieces if len(span.pieces) > 1 else (),
                assertion=span.assertion,
                attributes=span.attributes,
            )
            for key, span in self._spans.items()
            if key == span.id
        ]
        raw = RawContent(
            spans=spans,
            relations=self._relations,
            extra=json.dumps({"brat": extra}, ensure_ascii=False) if extra else "",
        )
        return Parsed(
            content=checked_content(self._text, 0, raw, OffsetEncoding.CODE_POINT, self._name),
            labels=self._labels,
            notes=tuple(self._notes),
        )

    def _target(self, line: int, key: str) -> _Span:
        found = self._spans.get(key) or self._events.get(key)
        if found is None:
            raise self._nothing(line, key)
        return found

    def _nothing(self, line: int, key: str) -> InvalidArgumentError:
        return invalid_field(
            self._field(line),
            f"{key[:100]} is the id of no line of the file: add it, or take the reference out.",
        )

    def _relate(
        self, line: int, source: str, target: str, label: str, direction: Direction, key: str
    ) -> None:
        check_line(label, self._field(line), 1, MAX_LABEL)
        self._relations.append(
            RawRelation(source=source, target=target, labels=(label,), direction=direction, id=key)
        )

    def _remark(self, span: _Span, entry: Remark) -> bool:
        """Put a remark to its span; False when there is no place for it."""
        if entry.kind == "A":
            if self._is_assertion(entry) and not span.assertion:
                status = entry.value or entry.type
                if not self._checked(lambda: check_line(status, "", 1, MAX_LABEL)):
                    return False
                span.assertion = status
                if entry.type != "assertion" or not entry.value:
                    self._statuses[span.id] = entry.type
                return True
            return self._attribute(span, entry, entry.type, entry.value or "true", numbered=False)
        if entry.kind == "N":
            database, _, key = entry.value.partition(":")
            if entry.type != "Reference" or "#" in database or not database or not key:
                return False
            value = f"{key} {entry.text}" if entry.text else key
            return self._attribute(span, entry, f"normalization:{database}", value, numbered=True)
        if "#" in entry.type or not entry.text:
            return False
        name = "note" if entry.type == "AnnotatorNotes" else f"note:{entry.type}"
        return self._attribute(span, entry, name, entry.text, numbered=True)

    def _is_assertion(self, entry: Remark) -> bool:
        if entry.value:
            return entry.type.lower() == "assertion" or entry.value in self._assertions
        return entry.type in self._assertions

    def _attribute(
        self, span: _Span, entry: Remark, name: str, value: str, *, numbered: bool
    ) -> bool:
        events = span.attributes.get("event", "").split(" ")
        if len(events) > 1 and entry.target != span.id:
            name = f"{entry.target}:{name}"  # else nobody could tell which event it is about
        if numbered:
            base, number = name, 1
            while name in span.attributes:
                number += 1
                name = f"{base}#{number}"
        if name in span.attributes or len(span.attributes) >= MAX_ATTRIBUTES:
            return False

        def check() -> None:
            check_line(name, "", 1, 100)
            check_text(value, "", 0, 1_000)

        if not self._checked(check):
            return False
        span.attributes[name] = value
        return True

    def _checked(self, check: Callable[[], object]) -> bool:
        try:
            check()
        except InvalidArgumentError:
            return False
        return True
