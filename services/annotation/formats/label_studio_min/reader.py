"""Reading Label Studio's JSON-MIN: objects of the same task one after the other make one task."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from services.annotation.content import Content, Page
from services.annotation.contents import MAX_LEAD_TIME
from services.annotation.formats.json_fields import an_id, document
from services.annotation.formats.json_stream import Item, items
from services.annotation.formats.label_studio.controls import Controls
from services.annotation.formats.label_studio.extents import extent_of, label_key, unit_of
from services.annotation.formats.label_studio.results import read_results
from services.annotation.formats.label_studio.source import Source, source_of
from services.annotation.formats.label_studio.spans import About
from services.annotation.formats.label_studio.values import keep, number, parse_time, person
from services.annotation.formats.label_studio_min.flat import Parts, Results, parts_of, to_results
from services.annotation.formats.records import (
    ParsedCompletion,
    ParsedTask,
    ReadOptions,
    Record,
    Refused,
    refusal,
)
from services.annotation.tasks import check_metadata, check_pages, check_task_text
from services.common.errors import InvalidArgumentError, invalid_field

NAME = "label_studio_min"
_RESULT = "result"
_PATH = re.compile(rf"\b{_RESULT}\[(\d+)\](?:\.value\b)?", re.ASCII)


def read(file: BinaryIO, options: ReadOptions) -> Iterator[Record]:
    """Yield the texts of a file; see `services.annotation.formats.records.Reader`."""
    waiting: _Flat | None = None
    ordinal = 0
    for item in items(file, options.max_line_bytes):
        if isinstance(item, Refused):
            ordinal += 1
            yield item
            continue
        try:
            flat = _flat(item, options)
        except InvalidArgumentError as error:
            ordinal += 1
            yield refusal(item.line, error)
            continue
        if waiting is not None and waiting.continues(flat):
            waiting = waiting.joined(flat)
            continue
        if waiting is not None:
            yield waiting.task
        ordinal += 1
        waiting = replace(flat, task=replace(flat.task, ordinal=ordinal))
    if waiting is not None:
        yield waiting.task


@dataclass(frozen=True, kw_only=True)
class _Flat:
    """One object: its task with at most one annotation, and its data as it stands."""

    task: ParsedTask
    id: Any
    data: Mapping[str, Any]

    def continues(self, other: _Flat) -> bool:
        """Whether another object is about the same task."""
        return self.id is not None and self.id == other.id and self.data == other.data

    def joined(self, other: _Flat) -> _Flat:
        """Return both as one task."""
        ours, theirs = self.task, other.task
        return replace(
            self,
            task=replace(
                ours,
                completions=(*ours.completions, *theirs.completions),
                labels={**theirs.labels, **ours.labels},
                notes=(*ours.notes, *theirs.notes),
                pages=tuple(
                    one if one.width or one.height else its
                    for one, its in zip(ours.pages, theirs.pages, strict=True)
                ),
            ),
        )


def _flat(item: Item, options: ReadOptions) -> _Flat:
    body, prefix = document(item), item.prefix
    place = prefix.removesuffix(".") or "task"
    parts = parts_of(body, options.config)
    source = source_of(parts.data, (), options.config, place)
    check_task_text(
        source.text,
        f"{prefix}{source.text_field or 'text'}",
        may_be_empty=bool(source.images),
    )
    said = to_results(parts.said, options.config, len(source.images))
    external_id = an_id(body.get("id"), f"{prefix}id")
    kept = dict(source.kept)
    if isinstance(body.get("id"), str):
        kept["id"] = body["id"]
    made: tuple[ParsedCompletion, ...] = ()
    labels: Mapping[str, str] = {}
    notes: Sequence[str] = ()
    pages = _pages(source, said.results)
    check_pages(source.text, pages, (), "", place)
    if parts.said or parts.about.get("annotation_id") is not None:
        one, labels, notes = _completion(parts, said, source, options, place)
        made = (one,)
    return _Flat(
        id=body.get("id"),
        data=parts.data,
        task=ParsedTask(
            line=item.line,
            ordinal=item.number,
            text=source.text,
            completions=made,
            labels={label: (item.line, where) for label, where in labels.items()},
            external_id=external_id,
            metadata=check_metadata(source.metadata, place),
            pages=pages,
            extra=keep(NAME, kept, place),
            notes=tuple(notes),
        ),
    )


def _completion(
    parts: Parts,
    said: Results,
    source: Source,
    options: ReadOptions,
    place: str,
) -> tuple[ParsedCompletion, Mapping[str, str], Sequence[str]]:
    extents = [
        extent_of(one, source.text, frozenset(), f"{place}.{path}")
        for one, path in zip(said.results, said.paths, strict=True)
        if label_key(one)
    ]
    about = About(
        text=source.text,
        names=frozenset(),
        unit=unit_of(source.text, [one for one in extents if one], options.encoding),
        pages=len(source.images),
        assertions=Controls(config=options.config).assertions(),
        choices_name=options.choices_name,
    )
    where = _Where(place, said.paths)
    try:
        found = read_results(said.results, about, _RESULT)
    except InvalidArgumentError as error:
        raise where.told(error) from None
    given = parts.about
    created = parse_time(given.get("created_at"))
    updated = parse_time(given.get("updated_at"))
    lead_time = number(given.get("lead_time")) or 0.0
    rest = dict(found.kept) | {"about": dict(given), "said": dict(said.unknown)}
    completion = ParsedCompletion(
        content=_with_extra(found.content, rest, place),
        author=person(given.get("annotator")),
        lead_time=lead_time if 0 <= lead_time <= MAX_LEAD_TIME else 0.0,
        created=created,
        updated=updated,
        submitted=updated if updated is not None else created,
    )
    labels = {label: where.of(path) for label, path in found.labels.items()}
    return completion, labels, [where.of(note) for note in found.notes]


class _Where:
    """Turns paths of results into those of the flat object, in which values stand by themselves."""

    def __init__(self, place: str, paths: Sequence[str]) -> None:
        self._place, self._paths = place, paths

    def of(self, told: str) -> str:
        """Return a path, or a note that begins with one."""
        return _PATH.sub(lambda match: f"{self._place}.{self._paths[int(match[1])]}", told)

    def told(self, error: InvalidArgumentError) -> InvalidArgumentError:
        """Return a refusal that names the place in the flat object."""
        if not error.violations:
            return error
        first = error.violations[0]
        return invalid_field(self.of(first.field), self.of(first.description), reason=error.reason)


def _with_extra(content: Content, rest: Mapping[str, Any], place: str) -> Content:
    return replace(content, extra=keep(NAME, rest, place))


def _pages(source: Source, results: Sequence[Mapping[str, Any]]) -> tuple[Page, ...]:
    """Return the pages; the size of a single one is what its results say."""
    sizes = next(
        (
            (one["original_width"], one["original_height"])
            for one in results
            if type(one.get("original_width")) is int and type(one.get("original_height")) is int
        ),
        (0, 0),
    )
    if len(source.images) != 1 or min(sizes) < 0:
        sizes = (0, 0)
    return tuple(Page(image=one, width=sizes[0], height=sizes[1]) for one in source.images)
