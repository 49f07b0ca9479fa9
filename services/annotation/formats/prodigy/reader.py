"""Reading Prodigy's JSON lines: one annotated example per line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from services.annotation.content import Choices, Content, Page
from services.annotation.contents import checked_choices
from services.annotation.domain import CompletionState
from services.annotation.formats.json_building import extra_of, split_notes
from services.annotation.formats.json_fields import (
    a_list,
    a_string,
    an_id,
    an_int,
    document,
)
from services.annotation.formats.json_stream import Item, items
from services.annotation.formats.prodigy.relations import read_relations
from services.annotation.formats.prodigy.spans import ReadSpans, read_spans
from services.annotation.formats.records import (
    ParsedCompletion,
    ParsedTask,
    ReadOptions,
    Record,
    Refused,
    refusal,
)
from services.annotation.formats.spacy_.cats import read_cats
from services.annotation.tasks import check_metadata, check_pages, check_task_text
from services.common.errors import InvalidArgumentError, invalid_field
from services.common.offsets import OffsetEncoding
from services.common.validate import check_line

_ANNOTATION = ("spans", "relations", "accept", "label", "cats")
_PLACED = frozenset({"text", "id", "meta", "answer", *_ANNOTATION})
_STATES = {"accept": CompletionState.SUBMITTED, "reject": CompletionState.REJECTED}
_MICROSECONDS = 1_000_000


def read(file: BinaryIO, options: ReadOptions) -> Iterator[Record]:
    """Yield the texts of a file; see `services.annotation.formats.records.Reader`."""
    for item in items(file, options.max_line_bytes):
        if isinstance(item, Refused):
            yield item
            continue
        try:
            yield _task(item, options)
        except InvalidArgumentError as error:
            yield refusal(item.line, error)


def _task(item: Item, options: ReadOptions) -> ParsedTask:
    body, prefix = document(item), item.prefix
    pages: tuple[Page, ...] = ()
    if body.get("text") is None and body.get("image") is not None:
        pages = (_page(body, prefix),)
    text = a_string(body.get("text"), f"{prefix}text", "" if pages else None)
    check_task_text(text, f"{prefix}text", may_be_empty=bool(pages))
    check_pages(text, pages, (), "", prefix.removesuffix(".") or "task")
    rest = {key: value for key, value in body.items() if key not in _PLACED}
    if pages:
        del rest["image"]
    meta = body.get("meta")
    metadata, unplaced = split_notes(meta if isinstance(meta, dict) else {})
    if unplaced or (meta is not None and not isinstance(meta, dict)):
        rest["meta"] = unplaced or meta
    notes: list[str] = []
    labels: dict[str, tuple[int, str]] = {}
    completions: tuple[ParsedCompletion, ...] = ()
    answer = body.get("answer")
    if answer == "ignore":
        notes.append(f"{prefix}answer: is ignore, so the task is open; what was said is in extra.")
        rest |= {key: body[key] for key in ("answer", *_ANNOTATION) if key in body}
    elif answer is not None or any(body.get(key) is not None for key in _ANNOTATION):
        if answer is not None and answer not in _STATES:
            raise invalid_field(f"{prefix}answer", "must be accept, reject or ignore.")
        found = read_spans(
            body, text, options.encoding or OffsetEncoding.CODE_POINT, f"{prefix}spans"
        )
        notes += found.notes
        labels = {label: (item.line, field) for label, field in reversed(found.labels)}
        content = _content(body, prefix, options.choices_name, found, notes)
        completions = (_completion(body, prefix, content, _STATES[answer or "accept"]),)
    return ParsedTask(
        line=item.line,
        ordinal=item.number,
        text=text,
        completions=completions,
        labels=labels,
        external_id=an_id(body.get("id"), f"{prefix}id"),
        metadata=check_metadata(metadata, f"{prefix}meta"),
        pages=pages,
        extra=extra_of("prodigy", rest, f"{prefix}extra"),
        notes=tuple(notes),
    )


def _content(
    body: Mapping[str, Any], prefix: str, name: str, found: ReadSpans, notes: list[str]
) -> Content:
    relations = read_relations(body, found, f"{prefix}relations")
    notes += relations.notes
    choices, cats = read_cats(body.get("cats"), name, f"{prefix}cats")
    rest = {
        "spans": found.rest,
        "other_spans": found.others,
        "relations": relations.rest,
        "other_relations": relations.others,
        "cats": cats,
    }
    return Content(
        spans=found.spans,
        choices=_choices(body, prefix, name, choices),
        relations=relations.relations,
        extra=extra_of("prodigy", {k: v for k, v in rest.items() if v}, f"{prefix}extra"),
    )


def _choices(
    body: Mapping[str, Any], prefix: str, name: str, cats: Sequence[Choices]
) -> tuple[Choices, ...]:
    """Return the options that were accepted, and the label that was shown with the text."""
    chosen = [value for one in cats for value in one.values]
    for index, one in enumerate(a_list(body.get("accept"), f"{prefix}accept")):
        if type(one) is not int and not isinstance(one, str):
            raise invalid_field(f"{prefix}accept[{index}]", "must be the id of an option.")
        chosen.append(str(one))
    if body.get("label") is not None:
        chosen.append(a_string(body["label"], f"{prefix}label"))
    unique = list(dict.fromkeys(chosen))
    return checked_choices([(name, unique)] if unique else [], f"{prefix}accept")


def _completion(
    body: Mapping[str, Any], prefix: str, content: Content, state: CompletionState
) -> ParsedCompletion:
    author = ""
    for key in ("_annotator_id", "_session_id"):
        if not author and isinstance(body.get(key), str):
            author = check_line(body[key], f"{prefix}{key}")
    time = body.get("_timestamp")
    if time is not None:
        time = an_int(time, f"{prefix}_timestamp")
        if not 0 <= time < 253_402_300_800:
            raise invalid_field(f"{prefix}_timestamp", "must be seconds since 1970.")
        time *= _MICROSECONDS
    rejected = state is CompletionState.REJECTED
    return ParsedCompletion(
        content=content,
        author=author,
        state=state,
        created=time,
        updated=time,
        submitted=time,
        reviewer=author if rejected else "",
        comment="Answered with reject in Prodigy." if rejected else "",
    )


def _page(body: Mapping[str, Any], prefix: str) -> Page:
    sizes = [body.get(key) for key in ("width", "height")]
    width, height = (one if type(one) is int and one >= 0 else 0 for one in sizes)
    return Page(image=a_string(body["image"], f"{prefix}image"), width=width, height=height)
