"""Training data as pairs of a text and its annotations, the ``TRAIN_DATA`` of many tutorials."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from services.annotation.content import Content
from services.annotation.formats.json_building import extra_of, kept_object, own_extra, split_notes
from services.annotation.formats.json_fields import (
    a_list,
    a_string,
    an_id,
    an_object,
    an_offset,
    to_json,
)
from services.annotation.formats.json_stream import Item, items
from services.annotation.formats.records import (
    ExportItem,
    ParsedCompletion,
    ParsedTask,
    ReadOptions,
    Record,
    Refused,
    WriteOptions,
    Writer,
    refusal,
)
from services.annotation.formats.spacy_.cats import read_cats, write_cats
from services.annotation.formats.spacy_.spans import (
    ENT_ID,
    KB_ID,
    NAME,
    RawGroups,
    count_losses,
    joined_content,
    with_attributes,
    written_groups,
)
from services.annotation.spans import RawSpan
from services.annotation.tasks import check_metadata, check_task_text
from services.common.errors import InvalidArgumentError, invalid_field
from services.common.offsets import OffsetEncoding, from_code_points

_OBJECT_KEYS = frozenset({"text", "id", "meta"})


def read(file: BinaryIO, options: ReadOptions) -> Iterator[Record]:
    """Yield the texts of a file; see `services.annotation.formats.records.Reader`.

    Pairs ``[text, {…}]``, objects ``{"text": …, "entities": …, "cats": …}``, and one object whose
    `annotations` are such pairs.
    """
    ordinal = 0
    for item in items(file, options.max_line_bytes):
        ordinal += 1
        if isinstance(item, Refused):
            yield item
            continue
        inner = item.value.get("annotations") if isinstance(item.value, dict) else None
        members = [(item.value, item.prefix)]
        if isinstance(inner, list) and "text" not in item.value:
            # Annotators write null for a text that was skipped.
            members = [
                (one, f"{item.prefix}annotations[{place}].")
                for place, one in enumerate(inner)
                if one is not None
            ]
        for place, (value, prefix) in enumerate(members):
            ordinal += int(place > 0)
            try:
                yield _task(value, prefix, item, ordinal, options)
            except InvalidArgumentError as error:
                yield refusal(item.line, error)


def _task(value: object, prefix: str, item: Item, ordinal: int, options: ReadOptions) -> ParsedTask:
    where = prefix.removesuffix(".")
    metadata: dict[str, str] = {}
    external_id, extra = "", ""
    if isinstance(value, dict):
        text = a_string(value.get("text"), f"{prefix}text")
        annotations = {key: one for key, one in value.items() if key not in _OBJECT_KEYS}
        metadata, rest = split_notes(an_object(value.get("meta"), f"{prefix}meta"))
        external_id = an_id(value.get("id"), f"{prefix}id")
        extra = extra_of(NAME, {"meta": rest} if rest else {}, f"{prefix}meta")
    elif isinstance(value, list) and len(value) == 2:
        text = a_string(value[0], f"{where}[0]")
        annotations = dict(an_object(value[1], f"{where}[1]"))
        prefix = f"{where}[1]."
    else:
        raise invalid_field(where or "item", 'must be a pair [text, {"entities": […]}].')
    check_task_text(text, f"{where}[0]" if isinstance(value, list) else f"{prefix}text")
    labels: dict[str, tuple[int, str]] = {}
    completions: tuple[ParsedCompletion, ...] = ()
    notes: list[str] = []
    if any(one is not None for one in annotations.values()):
        content, notes = _content(text, annotations, prefix, labels, item.line, options)
        completions = (ParsedCompletion(content=content),)
    return ParsedTask(
        line=item.line,
        ordinal=ordinal,
        text=text,
        completions=completions,
        labels=labels,
        external_id=external_id,
        metadata=check_metadata(metadata, f"{prefix}meta"),
        extra=extra,
        notes=tuple(notes),
    )


def _content(
    text: str,
    annotations: Mapping[str, Any],
    prefix: str,
    labels: dict[str, tuple[int, str]],
    line: int,
    options: ReadOptions,
) -> tuple[Content, list[str]]:
    raw = RawGroups()
    lists = [("", annotations.get("entities"), f"{prefix}entities")]
    for key, listed in an_object(annotations.get("spans"), f"{prefix}spans").items():
        lists.append((key, listed, f"{prefix}spans.{key}"))
    for key, listed, field in lists:
        for place, one in enumerate(a_list(listed, field)):
            span, path = _span(one, f"{field}[{place}]")
            target = raw.groups.setdefault(key, []) if key else raw.entities
            target.append((span, f"{path}[0]", f"{path}[1]"))
            labels.setdefault(span.label, (line, f"{path}[2]"))
    choices, cats = read_cats(annotations.get("cats"), options.choices_name, f"{prefix}cats")
    rest = {
        key: one
        for key, one in annotations.items()
        if key not in ("entities", "spans", "cats") and one is not None
    }
    kept = ({"cats": cats} if cats else {}) | ({"annotations": rest} if rest else {})
    encoding = options.encoding or OffsetEncoding.CODE_POINT
    return joined_content(text, raw, encoding, choices, kept, f"{prefix}entities")


def _span(value: object, path: str) -> tuple[RawSpan, str]:
    if isinstance(value, dict):
        value = [value.get("start"), value.get("end"), value.get("label")]
    if not isinstance(value, list) or not 3 <= len(value) <= 5:
        raise invalid_field(path, "must be [start, end, label], in characters of the text.")
    ids = [a_string(one, f"{path}[{place + 3}]", "") for place, one in enumerate(value[3:])]
    span = RawSpan(
        start=an_offset(value[0], f"{path}[0]"),
        end=an_offset(value[1], f"{path}[1]"),
        label=a_string(value[2], f"{path}[2]"),
    )
    kb_id, ent_id = (*ids, "", "")[:2]
    return with_attributes(span, **{KB_ID: kb_id, ENT_ID: ent_id}), path


def writer(options: WriteOptions) -> Writer:
    """Return a writer of one file: an array of pairs, as spaCy's `Example.from_dict` takes them."""
    return _TuplesWriter(options)


class _TuplesWriter:
    """Writes a pair per task, on a line of its own."""

    wants_predictions = False

    def __init__(self, options: WriteOptions) -> None:
        self.omitted: Counter[str] = Counter()
        self._encoding = options.encoding or OffsetEncoding.CODE_POINT
        self._choices_name = options.choices_name
        self._begun = False

    def begin(self) -> bytes:
        return b"["

    def end(self) -> bytes:
        return b"\n]\n"

    def add(self, item: ExportItem) -> bytes:
        text = item.task.text
        if not count_losses(self.omitted, item, self._choices_name):
            return b""
        annotations: dict[str, Any] = {}
        if item.chosen is not None:
            annotations = self._annotations(text, item.chosen.content)
        comma = b"," if self._begun else b""
        self._begun = True
        return comma + b"\n" + to_json([text, annotations]).encode()

    def _annotations(self, text: str, content: Content) -> dict[str, Any]:
        kept = own_extra(content.extra, NAME)
        written = written_groups(content, None, self.omitted)

        def listed(group: Any) -> list[list[Any]]:
            flat = [offset for one in group for offset in (one.span.start, one.span.end)]
            counted = from_code_points(text, flat, self._encoding)
            return [
                [start, end, one.span.label]
                for one, start, end in zip(group, counted[::2], counted[1::2], strict=True)
            ]

        found: dict[str, Any] = {"entities": listed(written.entities)}
        if written.groups:
            found["spans"] = {key: listed(group) for key, group in written.groups.items()}
        cats = write_cats(content.choices, kept.get("cats"))
        if cats:
            found["cats"] = cats
        return {**kept_object(kept, "annotations"), **found}
