"""Reading doccano's JSON and JSON lines; what a text was labelled with is told by its shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from services.annotation.content import Choices, Content, Relation, Span
from services.annotation.contents import RawRelation, checked_choices, checked_relations
from services.annotation.formats.json_building import extra_of, merged_spans, split_notes
from services.annotation.formats.json_fields import (
    a_list,
    a_string,
    an_id,
    an_object,
    an_offset,
    document,
    strings,
)
from services.annotation.formats.json_stream import Item, items
from services.annotation.formats.records import (
    ParsedCompletion,
    ParsedTask,
    ReadOptions,
    Record,
    Refused,
    refusal,
)
from services.annotation.spans import RawSpan
from services.annotation.tasks import check_metadata, check_task_text
from services.common.errors import InvalidArgumentError, invalid_field
from services.common.offsets import OffsetEncoding

_TEXT_KEYS = ("text", "data", "column_data")
_LABEL_KEYS = ("label", "labels", "column_label", "entities")
_OWN_KEYS = frozenset({*_TEXT_KEYS, *_LABEL_KEYS, "cats", "relations", "id", "meta"})
_MAX_CLASS = 1_000


def read(file: BinaryIO, options: ReadOptions) -> Iterator[Record]:
    """Yield the texts of a file; see `services.annotation.formats.records.Reader`."""
    for item in items(file, options.max_line_bytes):
        if isinstance(item, Refused):
            yield item
            continue
        try:
            yield _Parser(item, options).task()
        except InvalidArgumentError as error:
            yield refusal(item.line, error)


class _Parser:
    """Reads one object."""

    def __init__(self, item: Item, options: ReadOptions) -> None:
        self._item = item
        self._body = document(item)
        self._prefix = item.prefix
        self._encoding = options.encoding or OffsetEncoding.CODE_POINT
        self._choices_name = options.choices_name
        self._labels: dict[str, tuple[int, str]] = {}
        self._notes: list[str] = []
        # What has no place of its own, by key of the file: about the task, about the annotation.
        self._rest: dict[str, Any] = {}
        self._unplaced: dict[str, Any] = {}

    def task(self) -> ParsedTask:
        body, prefix = self._body, self._prefix
        key = next((one for one in _TEXT_KEYS if one in body), "text")
        text = check_task_text(a_string(body.get(key), prefix + key), prefix + key)
        content = self._content(text)
        metadata, rest = self._metadata()
        return ParsedTask(
            line=self._item.line,
            ordinal=self._item.number,
            text=text,
            completions=() if content is None else (ParsedCompletion(content=content),),
            labels=self._labels,
            external_id=an_id(body.get("id"), f"{prefix}id"),
            metadata=metadata,
            extra=extra_of("doccano", rest, f"{prefix}extra"),
            notes=tuple(self._notes),
        )

    def _content(self, text: str) -> Content | None:
        """Return the annotation, or None when the object has no key of one."""
        body, prefix = self._body, self._prefix
        keys = [key for key in _LABEL_KEYS if body.get(key) is not None]
        if len(keys) > 1:
            raise invalid_field(
                prefix + keys[1], f"stands beside {keys[0]}: keep the one that is meant."
            )
        if not keys and all(body.get(key) is None for key in ("cats", "relations")):
            return None
        classes = list(strings(body.get("cats"), f"{prefix}cats"))
        listed: Sequence[Any] = ()
        field = prefix + (keys[0] if keys else "label")
        if keys:
            value = body[keys[0]]
            listed = [value] if isinstance(value, str) else a_list(value, field)
        if listed and all(isinstance(one, str) for one in listed):
            classes += listed
            listed = ()
        spans, ids, notes = self._spans(text, listed, field)
        self._notes += notes
        return Content(
            spans=spans,
            choices=self._choices(classes, field),
            relations=self._relations(listed, ids, {one.id for one in spans}),
            extra=extra_of("doccano", self._unplaced, f"{prefix}extra"),
        )

    def _spans(
        self, text: str, listed: Sequence[Any], field: str
    ) -> tuple[tuple[Span, ...], list[str], list[str]]:
        raw: list[RawSpan] = []
        sides: list[str] = []
        for index, one in enumerate(listed):
            place = f"{field}[{index}]"
            label: object
            if isinstance(one, list) and len(one) == 3:
                start, end, label = one
                names = (f"{place}[0]", f"{place}[1]", f"{place}[2]")
                span_id = ""
            elif isinstance(one, dict):
                keys = ("start_offset", "end_offset") if "start_offset" in one else ("start", "end")
                start, end, label = one.get(keys[0]), one.get(keys[1]), one.get("label")
                names = (f"{place}.{keys[0]}", f"{place}.{keys[1]}", f"{place}.label")
                span_id = _reference(one.get("id"), f"{place}.id")
            else:
                raise invalid_field(
                    place, "must be [start, end, label], or an object with start_offset and so on."
                )
            raw.append(
                RawSpan(
                    start=an_offset(start, names[0]),
                    end=an_offset(end, names[1]),
                    label=a_string(label, names[2]),
                    id=span_id,
                )
            )
            sides += names[:2]
            self._labels.setdefault(raw[-1].label, (self._item.line, names[2]))
        return merged_spans(text, raw, self._encoding, field, sides.__getitem__)

    def _choices(self, classes: Sequence[str], field: str) -> tuple[Choices, ...]:
        """Return classes as choices; what no choice can be is kept for `extra`."""
        unique = list(dict.fromkeys(classes))
        if any(not _is_class(one) for one in unique):
            self._unplaced["label"] = list(classes)
            self._notes.append(f"{field}: holds texts instead of classes; they are kept in extra.")
            return ()
        if len(unique) < len(classes):
            self._notes.append(f"{field}: holds a class twice; it is kept once.")
        return checked_choices([(self._choices_name, unique)] if unique else [], field)

    def _relations(
        self, listed: Sequence[Any], ids: Sequence[str], known: set[str]
    ) -> tuple[Relation, ...]:
        field = f"{self._prefix}relations"
        by_reference: dict[str, str] = {}
        for one, span_id in zip(listed, ids, strict=True):
            if isinstance(one, dict) and one.get("id") is not None:
                reference = _reference(one["id"], field)
                if by_reference.setdefault(reference, span_id) != span_id:
                    raise invalid_field(
                        f"{self._prefix}entities", f"two of them have the id {reference[:100]!r}."
                    )
        raw = []
        for index, value in enumerate(a_list(self._body.get("relations"), field)):
            place = f"{field}[{index}]"
            one = an_object(value, place)
            ends = []
            for key in ("from_id", "to_id"):
                reference = _reference(one.get(key), f"{place}.{key}")
                if reference not in by_reference:
                    raise invalid_field(f"{place}.{key}", "is the id of no entity of the text.")
                ends.append(by_reference[reference])
            label = a_string(one.get("type"), f"{place}.type", "")
            raw.append(
                RawRelation(
                    source=ends[0],
                    target=ends[1],
                    labels=(label,) if label else (),
                    id=_reference(one.get("id"), f"{place}.id"),
                )
            )
        return checked_relations(raw, known, field)

    def _metadata(self) -> tuple[Mapping[str, str], Mapping[str, Any]]:
        meta = self._body.get("meta")
        found = dict(meta) if isinstance(meta, dict) else {}
        # doccano exports each note as a key of its own.
        for key, value in self._body.items():
            if key not in _OWN_KEYS and key not in found:
                found[key] = value
        metadata, rest = split_notes(found)
        if meta is not None and not isinstance(meta, dict):
            rest["meta"] = meta
        rest = {key: value for key, value in rest.items() if value not in (None, [], {})}
        return check_metadata(metadata, f"{self._prefix}meta"), rest


def _reference(value: object, field: str) -> str:
    """Return an id of an entity or relation, given as a number or string; empty for None."""
    if value is None:
        return ""
    if type(value) is int or isinstance(value, str):
        return str(value)
    raise invalid_field(field, "must be a whole number or a string.")


def _is_class(value: str) -> bool:
    return 0 < len(value) <= _MAX_CLASS and value == value.strip() and _one_line(value)


def _one_line(value: str) -> bool:
    return all(char >= " " and not "\x7f" <= char <= "\x9f" for char in value)
