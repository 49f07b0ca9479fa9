"""A brat archive as tasks."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import BinaryIO

from services.annotation.formats.brat.archive import Index, Pair, content_of, index_of, uncompressed
from services.annotation.formats.brat.document import parse
from services.annotation.formats.brat.standoff import entries_of
from services.annotation.formats.records import (
    ParsedCompletion,
    ParsedTask,
    ReadOptions,
    Record,
    Refused,
    refusal,
)
from services.annotation.tasks import check_external_id, check_task_text
from services.common.errors import InvalidArgumentError, Reason, invalid_field


def read(file: BinaryIO, options: ReadOptions) -> Iterator[Record]:
    """Yield a task per ``NAME.txt`` of a tar file, compressed with gzip or not.

    Texts come in the order in which their names first stand in the archive. One with a
    ``NAME.ann`` has a submitted completion, one without is an open task.

    Raises:
        InvalidArgumentError: REQUEST_MALFORMED: it is no tar file, or damaged; IMPORT_EMPTY: it
            holds no text; REQUEST_TOO_LARGE.
    """
    archive = uncompressed(file)
    try:
        yield from _records(archive, options)
    finally:
        if archive is not file:
            archive.close()


def _records(archive: BinaryIO, options: ReadOptions) -> Iterator[Record]:
    index = index_of(archive)
    if not index.pairs and not index.refused:
        raise InvalidArgumentError(
            Reason.IMPORT_EMPTY,
            "The archive holds no NAME.txt: pack the texts together with their .ann files.",
        )
    notes = _ignored(index)
    ordinal = 0
    for ordinal, pair in enumerate(index.pairs.values(), start=1):
        record = _record(archive, pair, ordinal, options, notes)
        if isinstance(record, ParsedTask):
            notes = ()
        yield record
    yield from index.refusals(ordinal + 1)


def _ignored(index: Index) -> tuple[str, ...]:
    return tuple(
        f"{name}: not read, it is neither a text (.txt) nor annotations (.ann)."
        for name in index.ignored
    )


def _record(
    archive: BinaryIO, pair: Pair, ordinal: int, options: ReadOptions, notes: tuple[str, ...]
) -> Record:
    # Read before anything is judged: an archive that ends too early is no matter of one text.
    raw = None if pair.text is None else content_of(archive, pair.text)
    raw_ann = None if pair.ann is None else content_of(archive, pair.ann)
    try:
        return _task(pair.name, raw, raw_ann, ordinal, options, notes)
    except InvalidArgumentError as error:
        return refusal(ordinal, error)


def _task(
    name: str,
    raw: bytes | None,
    raw_ann: bytes | None,
    ordinal: int,
    options: ReadOptions,
    notes: tuple[str, ...],
) -> Record:
    ann_name = f"{name}.ann"
    if raw is None:
        return Refused(
            line=ordinal,
            reason=Reason.FIELD_INVALID,
            field=ann_name,
            message=f"{ann_name}: the archive has no {name}.txt: pack the text with it.",
        )
    check_external_id(name, f"{name[:200]}.txt")
    text = check_task_text(_decoded(raw, f"{name}.txt"), f"{name}.txt")
    if raw_ann is None:
        return ParsedTask(line=ordinal, ordinal=ordinal, text=text, external_id=name, notes=notes)
    statuses = options.config.assertion_labels() if options.config else ()
    assertions = frozenset(name for one in statuses for name in (one.value, one.alias) if name)
    entries = entries_of(_decoded(raw_ann, ann_name), ann_name)
    parsed = parse(text, entries, ann_name, options.encoding, assertions)
    return ParsedTask(
        line=ordinal,
        ordinal=ordinal,
        text=text,
        external_id=name,
        completions=(ParsedCompletion(content=parsed.content),),
        labels={label: (ordinal, where) for label, (_, where) in parsed.labels.items()},
        notes=notes + parsed.notes,
    )


def _decoded(raw: bytes, field: str) -> str:
    """Return a member as text: UTF-8, or UTF-16 with its mark; line ends as they are."""
    try:
        if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return raw.decode("utf-16")
        return raw.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        raise invalid_field(
            field,
            f"byte {error.start + 1} is not {error.encoding.upper()}: save the file as UTF-8.",
            reason=Reason.REQUEST_MALFORMED,
        ) from error
