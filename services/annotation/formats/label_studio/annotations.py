"""What surrounds the results of an annotation: who, when, in which state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.annotation.content import Content
from services.annotation.contents import MAX_LEAD_TIME
from services.annotation.domain import Completion, CompletionState
from services.annotation.formats.label_studio.dialect import Dialect
from services.annotation.formats.label_studio.places import plain
from services.annotation.formats.label_studio.values import (
    number,
    parse_time,
    person,
    person_json,
    same,
    to_rfc3339,
    whole,
)
from services.common.errors import invalid_field

_MAX_COMMENT = 10_000
_REVIEWS = {CompletionState.ACCEPTED: True, CompletionState.REJECTED: False}


@dataclass(frozen=True, kw_only=True, slots=True)
class Circumstances:
    """What surrounds the results; as in `services.annotation.formats.records.ParsedCompletion`."""

    author: str
    state: CompletionState
    ground_truth: bool
    lead_time: float
    created: int | None
    updated: int | None
    submitted: int | None
    reviewer: str
    comment: str
    prediction: int | None


def read_circumstances(
    body: Mapping[str, Any],
    dialect: Dialect,
    predictions: Mapping[str, int],
    field: str,
    *,
    draft: bool,
) -> Circumstances:
    """Return what surrounds the results of an annotation.

    The last review says whether it is accepted or rejected.

    Args:
        body: The annotation.
        dialect: Its keys.
        predictions: Places of the task's predictions by their id.
        field: Its path.
        draft: Whether it stands among the drafts.

    Raises:
        InvalidArgumentError: FIELD_INVALID for a time of work that is none.
    """
    created = _first_time(body, dialect.created)
    updated = parse_time(body.get("updated_at"))
    submitted = parse_time(body.get("submitted_at"))
    ground_truth = any(body.get(key) is True for key in dialect.ground_truth)
    reviewed, reviewer, comment = _review(body)
    state = CompletionState.SUBMITTED
    if draft:
        state = CompletionState.DRAFT
    elif reviewed is not None:
        state = CompletionState.ACCEPTED if reviewed else CompletionState.REJECTED
    elif dialect.unsubmitted_is_draft and submitted is None and not ground_truth:
        state = CompletionState.DRAFT
    if state is CompletionState.DRAFT:
        reviewer = comment = ""
        submitted = None
    elif submitted is None:
        submitted = created if updated is None else updated
    return Circumstances(
        author=_author(body, dialect, draft=draft),
        state=state,
        ground_truth=ground_truth,
        lead_time=_lead_time(body.get("lead_time"), f"{field}.lead_time"),
        created=created,
        updated=updated,
        submitted=submitted,
        reviewer=reviewer,
        comment=comment,
        prediction=_copied(body, dialect, predictions),
    )


def circumstances_of(
    one: Completion,
    former: Mapping[str, Any],
    dialect: Dialect,
    prediction: tuple[int | None, Any],
    predictions: Mapping[str, int],
) -> dict[str, Any]:
    """Return an annotation without its results.

    Args:
        one: The completion.
        former: What the file said; its values stay where they still say the same.
        dialect: Its keys.
        prediction: Place and written id of the prediction that it began as, or None twice.
        predictions: Places of the task's predictions by their written id.
    """
    body = dict(former)
    draft = is_draft(one, dialect)

    def put(
        keys: Sequence[str], now: object, read: Callable[[Any], object], written: object
    ) -> None:
        key = next((each for each in keys if body.get(each) is not None), keys[0])
        if key in body and body[key] is not None and read(body[key]) == now:
            return
        if written is None and body.get(key) is not None:
            del body[key]
        elif written is not None:
            body[key] = written

    people = ("user",) if draft else dialect.author
    as_name = people[0] == "created_username"
    author = one.author if as_name else person_json(one.author)
    put(people, one.author, person, author if one.author else None)
    put(dialect.created, one.created, parse_time, to_rfc3339(one.created))
    put(("updated_at",), one.updated, parse_time, to_rfc3339(one.updated))
    if one.submitted is None:
        body.pop("submitted_at", None)
    elif dialect.unsubmitted_is_draft or one.submitted != one.updated or "submitted_at" in body:
        put(("submitted_at",), one.submitted, parse_time, to_rfc3339(one.submitted))
    star = any(body.get(key) is True for key in dialect.ground_truth)
    if star != one.ground_truth:
        for key in dialect.ground_truth:
            body.pop(key, None)
    if one.ground_truth or not draft:
        body.setdefault(_present(body, dialect.ground_truth), one.ground_truth)
    lead_time = plain(one.lead_time) if one.lead_time else None
    put(("lead_time",), one.lead_time, _clean_lead_time, lead_time)
    if not (draft or dialect.unsubmitted_is_draft):
        body.setdefault("was_cancelled", False)
    _write_review(one, body)
    _write_copied(body, dialect, prediction, predictions)
    return body


def kept_of(body: Mapping[str, Any], found: Circumstances, dialect: Dialect) -> dict[str, Any]:
    """Return what an annotation says beyond its circumstances, or in words of its own."""
    bare = Completion(
        id="",
        author=found.author,
        state=found.state,
        content=Content(),
        copied_from="",
        version=1,
        created=found.created or 0,
        updated=found.updated or 0,
        submitted=found.submitted,
        ground_truth=found.ground_truth,
        lead_time=found.lead_time,
    )
    written = circumstances_of(bare, {}, dialect, (None, None), {})
    return {
        key: value
        for key, value in body.items()
        if key != "result" and not (key in written and same(written[key], value))
    }


def is_draft(one: Completion, dialect: Dialect) -> bool:
    """Whether a completion stands in a list of drafts."""
    return one.state is CompletionState.DRAFT and not dialect.unsubmitted_is_draft


def is_skipped(body: Mapping[str, Any]) -> bool:
    """Whether an annotation says only that somebody would not annotate the task."""
    return body.get("was_cancelled") is True or body.get("skipped") is True


def prediction_key(value: object) -> str:
    """Return an id of a prediction, a number or text, as text; empty for none."""
    if isinstance(value, dict):
        value = value.get("id")
    return str(value) if type(value) is int or (isinstance(value, str) and value) else ""


def _present(body: Mapping[str, Any], keys: Sequence[str]) -> str:
    return next((key for key in keys if key in body), keys[0])


def _first_time(body: Mapping[str, Any], keys: Sequence[str]) -> int | None:
    times = (parse_time(body.get(key)) for key in keys)
    return next((one for one in times if one is not None), None)


def _author(body: Mapping[str, Any], dialect: Dialect, *, draft: bool) -> str:
    keys = ("user", *dialect.author) if draft else dialect.author
    return next((found for key in keys if (found := person(body.get(key)))), "")


def _clean_lead_time(value: object) -> float:
    return number(value) or 0.0


def _lead_time(value: object, field: str) -> float:
    if value is None:
        return 0.0
    found = number(value)
    if found is None or not 0 <= found <= MAX_LEAD_TIME:
        raise invalid_field(field, "must be a number of seconds, 0 or more.")
    return found


def _review(body: Mapping[str, Any]) -> tuple[bool | None, str, str]:
    """Return what the last review says: accepted, by whom, why; None when there is none."""
    reviews = body.get("reviews")
    listed = [
        one
        for one in (reviews if isinstance(reviews, list) else ())
        if isinstance(one, dict) and isinstance(one.get("accepted"), bool)
    ]
    if not listed:
        return None, "", ""
    last = max(
        enumerate(listed), key=lambda pair: (parse_time(pair[1].get("created_at")) or 0, pair[0])
    )[1]
    comment = last.get("comment")
    if isinstance(comment, dict):
        comment = comment.get("text")
    usable = isinstance(comment, str) and len(comment) <= _MAX_COMMENT and "\0" not in comment
    return last["accepted"], person(last.get("created_by")), str(comment) if usable else ""


def _write_review(one: Completion, body: dict[str, Any]) -> None:
    if one.review is None or one.state not in _REVIEWS:
        if _review(body)[0] is not None and one.state is CompletionState.SUBMITTED:
            body["reviews"] = []
        return
    now = (_REVIEWS[one.state], one.review.reviewer, one.review.comment)
    if _review(body) == now:
        return
    review: dict[str, Any] = {
        "accepted": now[0],
        "created_at": to_rfc3339(one.review.time),
    }
    if one.review.reviewer:
        review["created_by"] = person_json(one.review.reviewer)
    if one.review.comment:
        review["comment"] = one.review.comment
    body["reviews"] = [review]


def _copied(
    body: Mapping[str, Any], dialect: Dialect, predictions: Mapping[str, int]
) -> int | None:
    for key in dialect.copied:
        value = body.get(key)
        if key == "copied_from":
            kind, _, rest = value.partition(":") if isinstance(value, str) else ("", "", "")
            value = rest.strip() if kind.strip() == "prediction" else None
        found = predictions.get(prediction_key(value))
        if found is not None:
            return found
    return None


def _write_copied(
    body: dict[str, Any],
    dialect: Dialect,
    prediction: tuple[int | None, Any],
    predictions: Mapping[str, int],
) -> None:
    place, written = prediction
    if _copied(body, dialect, predictions) == place:
        return
    key = dialect.copied[0]
    for each in dialect.copied:
        body.pop(each, None)
    if place is not None:
        body[key] = f"prediction: {written}" if key == "copied_from" else whole(str(written))
