"""Turning what a reader found into what a writer takes, for tests of formats."""

from __future__ import annotations

from collections.abc import Iterable

from services.annotation.domain import (
    Completion,
    CompletionState,
    Prediction,
    Review,
    Task,
    prediction_name,
)
from services.annotation.formats.records import ExportItem, ParsedCompletion, ParsedTask

PROJECT = "p"
_OPEN_TIME = 1_700_000_000_000_000
_REVIEWED = frozenset({CompletionState.ACCEPTED, CompletionState.REJECTED})


def tasks_of(parsed: Iterable[ParsedTask]) -> list[ExportItem]:
    """Return tasks that hold exactly what the texts of a file say, ready to be written.

    Times that a file leaves open become a fixed one; `chosen` is the completion handed in last.
    """
    return [_item(one, number) for number, one in enumerate(parsed, start=1)]


def _item(one: ParsedTask, number: int) -> ExportItem:
    task_id = f"t{number}"
    predictions = tuple(
        Prediction(
            project=PROJECT,
            task=task_id,
            id=f"p{place}",
            generation=f"import/{its.model_version}",
            adapters={},
            model_versions={},
            spans=its.spans,
            created=_OPEN_TIME if its.created is None else its.created,
            choices=its.choices,
            extra=its.extra,
        )
        for place, its in enumerate(one.predictions)
    )
    task = Task(
        project=PROJECT,
        id=task_id,
        text=one.text,
        external_id=one.external_id,
        split=one.split,
        metadata=one.metadata,
        tokenised=one.tokenised,
        completions=tuple(
            _completion(its, place, task_id) for place, its in enumerate(one.completions)
        ),
        version=1,
        created=_OPEN_TIME,
        updated=_OPEN_TIME,
        tags=one.tags,
        group=one.group,
        pages=one.pages,
        words=one.words,
        extra=one.extra,
    )
    return ExportItem(task=task, chosen=task.last_submitted(), predictions=predictions)


def _completion(one: ParsedCompletion, place: int, task_id: str) -> Completion:
    created = _OPEN_TIME if one.created is None else one.created
    updated = created if one.updated is None else one.updated
    submitted = one.submitted
    if submitted is None and one.state is not CompletionState.DRAFT:
        submitted = updated
    return Completion(
        id=f"c{place + 1}",
        author=one.author,
        state=one.state,
        content=one.content,
        copied_from=""
        if one.prediction is None
        else prediction_name(PROJECT, task_id, f"p{one.prediction}"),
        version=1,
        created=created,
        updated=updated,
        submitted=submitted,
        review=Review(reviewer=one.reviewer, comment=one.comment, time=updated)
        if one.state in _REVIEWED
        else None,
        ground_truth=one.ground_truth,
        lead_time=one.lead_time,
    )
