"""Reading a DocBin, the binary training data of spaCy 3."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from services.annotation.content import Content
from services.annotation.formats.json_building import extra_of
from services.annotation.formats.records import (
    ParsedCompletion,
    ParsedTask,
    ReadOptions,
    Record,
    Refused,
    refusal,
)
from services.annotation.formats.spacy_.cats import read_cats
from services.annotation.formats.spacy_.docbin_bytes import Bin, BinDoc, BinEntity
from services.annotation.formats.spacy_.spans import (
    ENT_ID,
    KB_ID,
    NAME,
    RawGroups,
    joined_content,
    with_attributes,
)
from services.annotation.formats.spacy_.tokens import flat
from services.annotation.spans import RawSpan
from services.annotation.tasks import check_task_text
from services.common.errors import InvalidArgumentError, Reason
from services.common.offsets import OffsetEncoding


def read(file: BinaryIO, options: ReadOptions) -> Iterator[Record]:
    """Yield the documents of a file; see `services.annotation.formats.records.Reader`.

    A DocBin is packed as one piece, so it is held in memory whole, up to
    `services.annotation.formats.spacy_.docbin_bytes.MAX_BYTES`. Lines are numbers of documents.
    """
    for number, doc in enumerate(Bin(file).docs(), start=1):
        if not isinstance(doc, BinDoc):
            yield Refused(
                line=number,
                reason=Reason.REQUEST_MALFORMED,
                field="",
                message=f"Document {number} is damaged, {doc}: write it again.",
            )
            continue
        try:
            yield _task(doc, number, options)
        except InvalidArgumentError as error:
            yield refusal(number, error)


def _task(doc: BinDoc, number: int, options: ReadOptions) -> ParsedTask:
    text, extents = _text(doc)
    check_task_text(text, "text")
    labels: dict[str, tuple[int, str]] = {}
    raw = RawGroups(
        entities=[
            _span(one, f"ents[{place}]", extents, labels, number)
            for place, one in enumerate(doc.entities or ())
        ],
        groups={
            key: [
                _span(one, f"spans.{key}[{place}]", extents, labels, number)
                for place, one in enumerate(group)
            ]
            for key, group in doc.groups.items()
        },
    )
    completions: tuple[ParsedCompletion, ...] = ()
    notes: list[str] = []
    if doc.entities is not None or doc.groups or doc.cats:
        choices, cats = read_cats(doc.cats or None, options.choices_name, "cats")
        rest: dict[str, Any] = {"cats": cats} if cats else {}
        content: Content
        content, notes = joined_content(
            text, raw, OffsetEncoding.CODE_POINT, choices, rest, "spans"
        )
        completions = (ParsedCompletion(content=content),)
    if doc.more:
        notes.append("tokens: tags, lemmas, heads and user data have no place and were not kept.")
    tokenised = doc.spaces is None and not any(" " in word for word in doc.words)
    return ParsedTask(
        line=number,
        ordinal=number,
        text=text,
        completions=completions,
        labels=labels,
        extra="" if tokenised else extra_of(NAME, {"tokens": flat(extents)}, "tokens"),
        tokenised=tokenised,
        notes=tuple(notes),
    )


def _text(doc: BinDoc) -> tuple[str, list[tuple[int, int]]]:
    """Return the text of a document and where its tokens stand."""
    pieces: list[str] = []
    extents = []
    at = 0
    for place, word in enumerate(doc.words):
        extents.append((at, at + len(word)))
        # What the file does not know is read as one blank between words.
        blank = doc.spaces[place] if doc.spaces is not None else place + 1 < len(doc.words)
        pieces.append(word + " " if blank else word)
        at += len(pieces[-1])
    return "".join(pieces), extents


def _span(
    one: BinEntity,
    path: str,
    extents: Sequence[tuple[int, int]],
    labels: dict[str, tuple[int, str]],
    number: int,
) -> tuple[RawSpan, str, str]:
    labels.setdefault(one.label, (number, f"{path}.label"))
    span = RawSpan(start=extents[one.first][0], end=extents[one.behind - 1][1], label=one.label)
    said = {KB_ID: one.kb_id, ENT_ID: one.span_id}
    return with_attributes(span, **said), f"{path}.start", f"{path}.end"
