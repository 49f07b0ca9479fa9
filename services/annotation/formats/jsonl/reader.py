"""Reading the project's own JSON lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from services.annotation.content import Content
from services.annotation.contents import checked_lead_time
from services.annotation.domain import CompletionState, Split
from services.annotation.formats.json_fields import (
    a_bool,
    a_float,
    a_list,
    a_string,
    an_id,
    an_int,
    an_object,
    document,
    strings,
)
from services.annotation.formats.json_stream import Item, items
from services.annotation.formats.jsonl.contents import (
    CONTENT_KEYS,
    labels_of,
    read_content,
    read_extra,
    read_page,
    read_scored,
    read_words,
)
from services.annotation.formats.jsonl.times import from_rfc3339
from services.annotation.formats.records import (
    ParsedCompletion,
    ParsedPrediction,
    ParsedTask,
    ReadOptions,
    Record,
    Refused,
    refusal,
)
from services.annotation.tasks import (
    check_group,
    check_metadata,
    check_pages,
    check_tags,
    check_task_text,
)
from services.common.errors import InvalidArgumentError, invalid_field
from services.common.offsets import OffsetEncoding
from services.common.validate import check_line, check_text

_TASK_KEYS = CONTENT_KEYS | {
    "id", "text", "split", "metadata", "tags", "group", "pages", "words", "completion",
    "completions", "predictions", "extra", "tokenised",
}  # fmt: skip
_STATES = {one.value.lower(): one for one in CompletionState}
_ABOUT_KEYS = frozenset(
    {"author", "state", "ground_truth", "lead_time", "created", "updated", "submitted", "reviewer"}
    | {"reviewed", "comment", "prediction", "extra"}
)
_PREDICTION_KEYS = frozenset({"model_version", "spans", "choices", "extra", "created"})


def read(file: BinaryIO, options: ReadOptions) -> Iterator[Record]:
    """Yield the texts of a file; see `services.annotation.formats.records.Reader`.

    A JSON array of the same objects is read as well.
    """
    encoding = options.encoding or OffsetEncoding.CODE_POINT
    for item in items(file, options.max_line_bytes):
        if isinstance(item, Refused):
            yield item
            continue
        try:
            yield _task(item, encoding)
        except InvalidArgumentError as error:
            yield refusal(item.line, error)


def _task(item: Item, encoding: OffsetEncoding) -> ParsedTask:
    body, prefix = document(item), item.prefix
    notes = _unknown(body, _TASK_KEYS, prefix)
    text = a_string(body.get("text"), f"{prefix}text")
    listed = a_list(body.get("pages"), f"{prefix}pages")
    check_task_text(text, f"{prefix}text", may_be_empty=bool(listed))
    pages, words, extra = check_pages(
        text,
        [read_page(one, f"{prefix}pages[{index}]") for index, one in enumerate(listed)],
        read_words(body.get("words"), text, encoding, f"{prefix}words"),
        read_extra(body.get("extra"), f"{prefix}extra"),
        prefix.removesuffix(".") or "task",
    )
    predictions = []
    for index, one in enumerate(a_list(body.get("predictions"), f"{prefix}predictions")):
        place = f"{prefix}predictions[{index}]"
        notes += _unknown(an_object(one, place), _PREDICTION_KEYS, f"{place}.")
        predictions.append(_prediction(one, text, encoding, f"{place}."))
    labels: dict[str, tuple[int, str]] = {}
    completions = []
    for one in _annotations(body, prefix):
        notes += _unknown(one.about, one.known, one.about_prefix)
        content = read_content(
            one.content,
            text,
            len(pages),
            encoding,
            one.content_prefix,
            read_extra(one.about.get("extra"), f"{one.about_prefix}extra"),
        )
        completions.append(_completion(content, one.about, one.about_prefix, len(predictions)))
        for label, field in labels_of(one.content, one.content_prefix):
            labels.setdefault(label, (item.line, field))
    return ParsedTask(
        line=item.line,
        ordinal=item.number,
        text=text,
        completions=tuple(completions),
        predictions=tuple(predictions),
        labels=labels,
        external_id=an_id(body.get("id"), f"{prefix}id"),
        split=_split(body.get("split"), f"{prefix}split"),
        tags=check_tags(strings(body.get("tags"), f"{prefix}tags"), f"{prefix}tags"),
        group=check_group(a_string(body.get("group"), f"{prefix}group", ""), f"{prefix}group"),
        metadata=_metadata(body.get("metadata"), f"{prefix}metadata"),
        pages=pages,
        words=words,
        extra=extra,
        tokenised=a_bool(body.get("tokenised"), f"{prefix}tokenised"),
        notes=tuple(notes),
    )


@dataclass(frozen=True, kw_only=True)
class _Annotation:
    """Where a line says what an annotation says, and where what is to be known about it."""

    content: Mapping[str, Any]
    content_prefix: str
    about: Mapping[str, Any]
    about_prefix: str
    known: frozenset[str]


def _annotations(body: Mapping[str, Any], prefix: str) -> Iterator[_Annotation]:
    """Yield the annotation on the line itself, or those of its `completions`."""
    short = any(body.get(key) is not None for key in (*CONTENT_KEYS, "completion"))
    if short:
        if body.get("completions") is not None:
            raise invalid_field(
                f"{prefix}completions",
                "stands beside an annotation on the line itself: write all of them in it.",
            )
        yield _Annotation(
            content=body,
            content_prefix=prefix,
            about=an_object(body.get("completion"), f"{prefix}completion"),
            about_prefix=f"{prefix}completion.",
            known=_ABOUT_KEYS,
        )
    for index, one in enumerate(a_list(body.get("completions"), f"{prefix}completions")):
        place = f"{prefix}completions[{index}]"
        found = an_object(one, place)
        yield _Annotation(
            content=found,
            content_prefix=f"{place}.",
            about=found,
            about_prefix=f"{place}.",
            known=_ABOUT_KEYS | CONTENT_KEYS,
        )


def _completion(
    content: Content, about: Mapping[str, Any], prefix: str, predictions: int
) -> ParsedCompletion:
    state = a_string(about.get("state"), f"{prefix}state", "submitted")
    if state not in _STATES:
        raise invalid_field(f"{prefix}state", f"must be {', '.join(_STATES)}.")
    prediction = about.get("prediction")
    if prediction is not None:
        prediction = an_int(prediction, f"{prefix}prediction")
        if not 0 <= prediction < predictions:
            raise invalid_field(
                f"{prefix}prediction", f"must be the place of one of the {predictions} predictions."
            )
    lead_time = a_float(about.get("lead_time"), f"{prefix}lead_time", 0.0)
    author, reviewer = (
        check_line(a_string(about.get(key), f"{prefix}{key}", ""), f"{prefix}{key}")
        for key in ("author", "reviewer")
    )
    comment = a_string(about.get("comment"), f"{prefix}comment", "")
    return ParsedCompletion(
        content=content,
        author=author,
        state=_STATES[state],
        ground_truth=a_bool(about.get("ground_truth"), f"{prefix}ground_truth"),
        lead_time=checked_lead_time(lead_time, f"{prefix}lead_time"),
        created=from_rfc3339(about.get("created"), f"{prefix}created"),
        updated=from_rfc3339(about.get("updated"), f"{prefix}updated"),
        submitted=from_rfc3339(about.get("submitted"), f"{prefix}submitted"),
        reviewer=reviewer,
        comment=check_text(comment, f"{prefix}comment", 0, 10_000),
        prediction=prediction,
    )


def _prediction(
    body: Mapping[str, Any], text: str, encoding: OffsetEncoding, prefix: str
) -> ParsedPrediction:
    field = f"{prefix}model_version"
    spans, choices = read_scored(body, text, encoding, prefix)
    return ParsedPrediction(
        model_version=check_line(a_string(body.get("model_version"), field), field),
        spans=spans,
        choices=choices,
        extra=read_extra(body.get("extra"), f"{prefix}extra"),
        created=from_rfc3339(body.get("created"), f"{prefix}created"),
    )


def _split(value: object, field: str) -> Split:
    if value is None or value == "":
        return Split.UNSPECIFIED
    if value not in ("train", "dev", "test"):
        raise invalid_field(field, "must be train, dev or test.")
    return Split(value)


def _metadata(value: object, field: str) -> Mapping[str, str]:
    found = an_object(value, field)
    if not all(isinstance(one, str) for one in found.values()):
        raise invalid_field(field, "must be an object with strings as values.")
    return check_metadata(found, field)


def _unknown(body: Mapping[str, Any], known: frozenset[str], prefix: str) -> list[str]:
    return [
        f"{prefix}{key[:100]}: is no key of this format and was not kept."
        for key in body
        if key not in known
    ]
