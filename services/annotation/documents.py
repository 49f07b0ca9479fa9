"""How the domain lies in documents: both directions of the conversion.

Every resource document carries ``project``, ``ord`` (its place in the order of creation),
``version`` (grows with each change of the resource, behind the etag), ``outbox`` (events not yet
known to be published) and ``outbox_pending``. Maps with keys of callers are lists of pairs, as
such keys may hold anything. How annotations lie in documents is in `content_documents`. Fields that
came later are read with the value that says "not there", so older documents stay readable.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.annotation.content import Page, ScoredChoice, ScoredSpan, Word
from services.annotation.content_documents import content_fields, to_content
from services.annotation.domain import (
    Completion,
    CompletionState,
    Event,
    EventType,
    Label,
    Prediction,
    Project,
    Review,
    Split,
    Task,
    TieBreak,
)
from services.annotation.signals import signals_document, to_signals
from services.common.store.port import Document


def document_id(project: str, id: str) -> str:
    """Return the document id of a resource of a project."""
    return f"{project}/{id}"


def project_document(project: Project) -> Document:
    """Return the resource part of a project's document."""
    return {
        "project": project.id,
        "uid": project.uid,
        "display_name": project.display_name,
        "labeling_config": project.labeling_config,
        "tie_break": project.tie_break.value,
        "version": project.version,
        "created": project.created,
        "updated": project.updated,
    }


def to_project(body: Document) -> Project:
    """Read a project."""
    return Project(
        id=body["project"],
        uid=body["uid"],
        display_name=body["display_name"],
        labeling_config=body.get("labeling_config", ""),
        tie_break=TieBreak(body.get("tie_break", TieBreak.MOST_RECENT)),
        version=body["version"],
        created=body["created"],
        updated=body["updated"],
    )


def label_document(label: Label) -> Document:
    """Return the resource part of a label's document."""
    return {
        "project": label.project,
        "label": label.id,
        "value": label.value,
        "description": label.description,
        "inherits": list(label.inherits),
        "alias_as": label.alias_as,
        "former_values": list(label.former_values),
        "version": label.version,
        "created": label.created,
        "updated": label.updated,
    }


def to_label(body: Document) -> Label:
    """Read a label."""
    return Label(
        project=body["project"],
        id=body["label"],
        value=body["value"],
        description=body["description"],
        inherits=tuple(body.get("inherits", ())),
        alias_as=body.get("alias_as", ""),
        former_values=tuple(body.get("former_values", ())),
        version=body["version"],
        created=body["created"],
        updated=body["updated"],
    )


def task_document(task: Task) -> Document:
    """Return the resource part of a task's document.

    `external_id` is null when there is none. `label_values` and `authors` are there to be found by:
    they repeat what the completions hold that are not deleted.
    """
    body: Document = {
        "project": task.project,
        "task": task.id,
        "text": task.text,
        "external_id": task.external_id or None,
        "metadata": pairs_of(task.metadata),
        "tokenised": task.tokenised,
        "completions": [completion_document(one) for one in task.completions],
        "version": task.version,
        "created": task.created,
        "updated": task.updated,
        "deleted": task.deleted,
        **task_fields(task),
        **derived_fields(task),
    }
    if task.pages:
        body["pages"] = [[one.image, one.width, one.height] for one in task.pages]
    if task.words:
        body["words"] = [
            [one.start, one.end, one.x, one.y, one.width, one.height, one.page]
            for one in task.words
        ]
    if task.extra:
        body["extra"] = task.extra
    return body


def task_fields(task: Task) -> Document:
    """Return the fields of a task that UpdateTask changes: what its history keeps."""
    return {
        "tags": list(task.tags),
        "group": task.group,
        "split": task.split.value,
        "metadata": pairs_of(task.metadata),
    }


def derived_fields(task: Task) -> Document:
    """Return the fields of a task's document that follow from its completions."""
    there = [one for one in task.completions if one.deleted is None]
    labels = {span.label for one in there for span in one.spans}
    labels.update(
        label for one in there for region in one.content.regions for label in region.labels
    )
    return {
        "status": task.status.value,
        "label_values": sorted(labels),
        "authors": sorted({one.author for one in there}),
        "starred": any(one.ground_truth for one in there),
    }


def to_task(body: Document) -> Task:
    """Read a task with its completions."""
    return Task(
        project=body["project"],
        id=body["task"],
        text=body["text"],
        external_id=body["external_id"] or "",
        split=Split(body["split"]),
        metadata=dict(body["metadata"]),
        tokenised=body["tokenised"],
        completions=tuple(to_completion(one) for one in body["completions"]),
        version=body["version"],
        created=body["created"],
        updated=body["updated"],
        tags=tuple(body.get("tags", ())),
        group=body.get("group", ""),
        pages=tuple(
            Page(image=image, width=width, height=height)
            for image, width, height in body.get("pages", ())
        ),
        words=tuple(
            Word(start=start, end=end, x=x, y=y, width=width, height=height, page=page)
            for start, end, x, y, width, height, page in body.get("words", ())
        ),
        extra=body.get("extra", ""),
        deleted=body.get("deleted"),
    )


def completion_document(completion: Completion) -> Document:
    """Return the object that stands for a completion within its task's document."""
    body: Document = {
        "id": completion.id,
        "author": completion.author,
        "state": completion.state.value,
        **content_fields(completion.content),
        "copied_from": completion.copied_from,
        "version": completion.version,
        "created": completion.created,
        "updated": completion.updated,
        "submitted": completion.submitted,
    }
    if completion.review is not None:
        review = completion.review
        body["review"] = [review.reviewer, review.comment, review.time]
    if completion.ground_truth:
        body["ground_truth"] = True
    if completion.lead_time:
        body["lead_time"] = completion.lead_time
    if completion.deleted is not None:
        body["deleted"] = completion.deleted
    return body


def to_completion(body: Document) -> Completion:
    """Read a completion."""
    review = body.get("review")
    return Completion(
        id=body["id"],
        author=body["author"],
        state=CompletionState(body["state"]),
        content=to_content(body),
        copied_from=body["copied_from"],
        version=body["version"],
        created=body["created"],
        updated=body["updated"],
        submitted=body["submitted"],
        review=None
        if review is None
        else Review(reviewer=review[0], comment=review[1], time=review[2]),
        ground_truth=body.get("ground_truth", False),
        lead_time=float(body.get("lead_time", 0.0)),
        deleted=body.get("deleted"),
    )


def prediction_document(prediction: Prediction) -> Document:
    """Return the resource part of a prediction's document; most say nothing of choices and such."""
    body: Document = {
        "project": prediction.project,
        "task": prediction.task,
        "prediction": prediction.id,
        "generation": prediction.generation,
        "adapters": pairs_of(prediction.adapters),
        "model_versions": pairs_of(prediction.model_versions),
        "spans": [_scored_list(span) for span in prediction.spans],
        "choices": [[c.name, c.value, c.score] for c in prediction.choices],
        "extra": prediction.extra,
        "version": 1,
        "created": prediction.created,
        "updated": prediction.created,
    }
    if prediction.choice_adapters or prediction.choice_model_versions:
        body["choice_adapters"] = pairs_of(prediction.choice_adapters)
        body["choice_model_versions"] = pairs_of(prediction.choice_model_versions)
    if prediction.assertion_adapter:
        body["assertion_adapter"] = prediction.assertion_adapter
        body["assertion_model_version"] = prediction.assertion_model_version
    if prediction.signals is not None:
        body["signals"] = signals_document(prediction.signals)
    return body


def to_prediction(body: Document) -> Prediction:
    """Read a prediction."""
    return Prediction(
        project=body["project"],
        task=body["task"],
        id=body["prediction"],
        generation=body["generation"],
        adapters=dict(body["adapters"]),
        model_versions=dict(body["model_versions"]),
        spans=tuple(map(_to_scored, body["spans"])),
        choices=tuple(
            ScoredChoice(name=name, value=value, score=score)
            for name, value, score in body.get("choices", ())
        ),
        extra=body.get("extra", ""),
        created=body["created"],
        choice_adapters=dict(body.get("choice_adapters", ())),
        choice_model_versions=dict(body.get("choice_model_versions", ())),
        assertion_adapter=body.get("assertion_adapter", ""),
        assertion_model_version=body.get("assertion_model_version", ""),
        signals=to_signals(body["signals"]) if body.get("signals") else None,
    )


def _scored_list(span: ScoredSpan) -> list[Any]:
    stored: list[Any] = [span.start, span.end, span.label, span.score]
    if span.assertion:
        stored += [span.assertion, span.assertion_score]
    return stored


def _to_scored(stored: list[Any]) -> ScoredSpan:
    start, end, label, score, *assertion = stored
    status, how_sure = assertion or ("", 0.0)
    return ScoredSpan(
        start=start,
        end=end,
        label=label,
        score=score,
        assertion=status,
        assertion_score=float(how_sure),
    )


def to_event(body: Document) -> Event:
    """Read a published event."""
    return Event(
        sequence=body["sequence"],
        type=EventType(body["type"]),
        resource=body["resource"],
        time=body["time"],
        actor=body.get("actor", ""),
        version=body.get("version", 0),
    )


def pairs_of(mapping: Mapping[str, Any]) -> list[list[Any]]:
    """Return a map as a sorted list of pairs."""
    return [[key, mapping[key]] for key in sorted(mapping)]
