"""From what a file says about a text to the task that is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.annotation import completion_state
from services.annotation.content import Content
from services.annotation.domain import (
    Completion,
    CompletionState,
    EventType,
    Prediction,
    Review,
    Task,
    prediction_name,
)
from services.annotation.formats.records import ParsedCompletion, ParsedPrediction, ParsedTask
from services.annotation.handlers.predictions import IMPORT_PREFIX, prediction_id
from services.annotation.labeling.checks import ConfigChecks
from services.annotation.labels.table import LabelTable
from services.annotation.resources import Resources
from services.annotation.spans import check_task_size
from services.annotation.tasks import (
    check_external_id,
    check_group,
    check_metadata,
    check_pages,
    check_tags,
    check_task_text,
)
from services.annotation.transfer.orders import ImportOrder
from services.common.validate import check_line

_STARS = "ground truth: a task has one at most: the first one keeps its star."
_REVIEWED = frozenset({CompletionState.ACCEPTED, CompletionState.REJECTED})


@dataclass(frozen=True, kw_only=True, slots=True)
class Built:
    """A task to store, the event of each of its completions, its predictions, and what to note."""

    task: Task
    events: tuple[EventType, ...]
    predictions: tuple[Prediction, ...]
    notes: tuple[str, ...] = ()


def build(
    parsed: ParsedTask,
    order: ImportOrder,
    resources: Resources,
    table: LabelTable,
    checks: ConfigChecks | None,
) -> Built:
    """Return the task that a text of a file becomes.

    Args:
        parsed: The text, and what the file says about it.
        order: How to import it.
        resources: For the time, and for ids.
        table: The labels of the project.
        checks: What its completions must fit, when the project has a labelling config.

    Raises:
        InvalidArgumentError: A field of it cannot be stored.
    """
    now = resources.now()
    task_id = resources.new_id()
    check_task_text(parsed.text, "text", may_be_empty=bool(parsed.pages))
    pages, words, extra = check_pages(parsed.text, parsed.pages, parsed.words, parsed.extra, "task")
    predictions = (
        ()
        if order.ignore_predictions
        else tuple(
            _prediction(one, order.project, task_id, now, table) for one in parsed.predictions
        )
    )
    made = [
        _completion(
            one,
            place,
            parsed,
            order,
            resources,
            task_id,
            now,
            _content(one.content, table, checks, f"completions[{place}]"),
        )
        for place, one in enumerate(() if order.ignore_completions else parsed.completions)
    ]
    completions = _one_star(tuple(completion for completion, _ in made))
    task = Task(
        project=order.project,
        id=task_id,
        text=parsed.text,
        external_id=check_external_id(parsed.external_id, "id")
        or f"{order.source_name}#{parsed.ordinal}",
        split=parsed.split or order.split,
        metadata=check_metadata(parsed.metadata, "metadata"),
        tokenised=parsed.tokenised,
        completions=completions,
        version=1,
        created=now,
        updated=now,
        tags=check_tags([*parsed.tags, *order.tags], "tags"),
        group=check_group(parsed.group, "group"),
        pages=pages,
        words=words,
        extra=extra,
    )
    check_task_size(task.text, task.completions)
    return Built(
        task=task,
        events=tuple(event for _, event in made),
        predictions=predictions,
        notes=() if completions == tuple(one for one, _ in made) else (_STARS,),
    )


def _content(
    content: Content, table: LabelTable, checks: ConfigChecks | None, field: str
) -> Content:
    """Return a content with present labels; refused for what CreateCompletion refuses it for."""
    table.check_distinct(content, field)
    if checks is not None:
        checks.check(content, table, field)
    return table.content(content)


def _completion(
    one: ParsedCompletion,
    place: int,
    parsed: ParsedTask,
    order: ImportOrder,
    resources: Resources,
    task: str,
    now: int,
    content: Content,
) -> tuple[Completion, EventType]:
    author = check_line(one.author or order.author, f"completions[{place}].author", 1, 200)
    copied_from = ""
    if one.prediction is not None and not order.ignore_predictions:
        generation = _generation(parsed.predictions[one.prediction])
        copied_from = prediction_name(order.project, task, prediction_id(task, generation))
    review = None
    if one.state in _REVIEWED:
        reviewer = one.reviewer or order.author
        review = Review(reviewer=reviewer, comment=one.comment, time=one.updated or now)
    return completion_state.begin(
        id=resources.new_id(),
        author=author,
        content=content,
        copied_from=copied_from,
        state=CompletionState.DRAFT if order.as_drafts else one.state,
        now=now,
        review=review,
        ground_truth=one.ground_truth,
        lead_time=one.lead_time,
        created=one.created,
        updated=one.updated,
        submitted=one.submitted,
    )


def _one_star(completions: tuple[Completion, ...]) -> tuple[Completion, ...]:
    """Return the completions with the star on the first that has one: a task has one at most."""
    starred = [one for one in completions if one.ground_truth]
    if len(starred) < 2:
        return completions
    return tuple(
        completion_state.unstarred(one) if one in starred[1:] else one for one in completions
    )


def _prediction(
    one: ParsedPrediction, project: str, task: str, now: int, table: LabelTable
) -> Prediction:
    generation = _generation(one)
    versions: Mapping[str, str] = (
        {span.label: one.model_version for span in one.spans} if one.model_version else {}
    )
    return Prediction(
        project=project,
        task=task,
        id=prediction_id(task, generation),
        generation=generation,
        adapters={},
        model_versions=table.by_label(versions),
        spans=table.scored(one.spans),
        created=now if one.created is None else one.created,
        choices=one.choices,
        extra=one.extra,
    )


def _generation(one: ParsedPrediction) -> str:
    return check_line(f"{IMPORT_PREFIX}{one.model_version}", "model_version", 1, 200)
