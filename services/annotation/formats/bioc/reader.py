"""A BioC collection as tasks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import BinaryIO

from services.annotation.formats.bioc.content import Builder
from services.annotation.formats.bioc.elements import RawDocument, document_of
from services.annotation.formats.bioc.extents import locate
from services.annotation.formats.bioc.stream import Header, documents
from services.annotation.formats.records import (
    ParsedCompletion,
    ParsedTask,
    ReadOptions,
    Record,
    Refused,
    refusal,
)
from services.annotation.tasks import (
    MAX_METADATA,
    check_external_id,
    check_metadata,
    check_task_text,
)
from services.common.errors import InvalidArgumentError


def read(file: BinaryIO, options: ReadOptions) -> Iterator[Record]:
    """Yield a task per document, its passages joined at their offsets.

    A document with annotations or relations has a submitted completion, one without is an open
    task.

    Raises:
        InvalidArgumentError: See `services.annotation.formats.bioc.stream.documents`.
    """
    for ordinal, found in enumerate(documents(file), start=1):
        if isinstance(found, Refused):
            yield found
            return
        header, element = found
        line = int(element.sourceline or ordinal)
        try:
            record: Record = _task(document_of(element), header, line, ordinal, options)
        except InvalidArgumentError as error:
            record = refusal(line, error)
        yield record


def _task(
    document: RawDocument, header: Header, line: int, ordinal: int, options: ReadOptions
) -> ParsedTask:
    check_external_id(document.id, "document.id")
    located = locate(document, options.encoding, options.repair)
    check_task_text(located.text, "document.passage.text")
    builder = Builder(located.text)
    spans = [one for one in document.annotations if one.is_span]
    for one, extents in zip(spans, located.extents, strict=True):
        builder.add_span(one, extents)
    for one in document.annotations:
        if not one.is_span:
            builder.keep_annotation(one)
    for link in document.links:
        builder.add_link(link)
    annotated = bool(document.annotations or document.links)
    metadata, infons = _metadata(document)
    return ParsedTask(
        line=line,
        ordinal=ordinal,
        text=located.text,
        external_id=document.id,
        completions=(ParsedCompletion(content=builder.end()),) if annotated else (),
        labels=builder.labels,
        metadata=metadata,
        extra=_extra(document, header, infons),
        notes=located.notes + tuple(builder.notes),
    )


def _metadata(document: RawDocument) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Return the infons of a document as notes of the task, and those that cannot be any."""
    metadata: dict[str, str] = {}
    rest: list[tuple[str, str]] = []
    for key, value in document.infons:
        try:
            check_metadata({key: value}, "document.infon")
        except InvalidArgumentError:
            rest.append((key, value))
            continue
        if key in metadata or len(metadata) >= MAX_METADATA:
            rest.append((key, value))
        else:
            metadata[key] = value
    return metadata, rest


def _extra(document: RawDocument, header: Header, infons: list[tuple[str, str]]) -> str:
    """Return what writing the same document again takes; empty where it follows from the text."""
    kept: dict[str, object] = {}
    collection = {
        name: value
        for name, value in (
            ("source", header.source),
            ("date", header.date),
            ("key", header.key),
            ("infons", header.infons),
        )
        if value
    }
    if collection:
        kept["collection"] = collection
    if infons:
        kept["infons"] = infons
    passages = []
    behind = 0
    for passage in document.passages:
        first = passage.pieces[0]
        # What lies between a passage's offset and its first sentence is part of it.
        start = max(behind, first.start - max(0, first.offset - passage.offset))
        behind = passage.pieces[-1].end
        one: dict[str, object] = {"start": start, "end": behind, "infons": passage.infons}
        if passage.has_sentences:
            one["sentences"] = [
                {"start": piece.start, "end": piece.end, "infons": piece.infons}
                for piece in passage.pieces
            ]
        passages.append(one)
    top = document.passages[0]
    if len(passages) > 1 or top.has_sentences or top.infons or top.pieces[0].start:
        kept["passages"] = passages
    return json.dumps({"bioc": kept}, ensure_ascii=False) if kept else ""
