"""How the domain lies in documents: both directions of the conversion.

Every resource document carries ``project``, ``ord`` (its place in the order of creation),
``version`` (grows with each change of the resource, behind the etag), ``outbox`` (events not yet
known to be published) and ``outbox_pending``. Spans are lists ``[start, end, label, id]``; maps
with keys of callers are lists of pairs, as such keys may hold anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.annotation.domain import (
    Completion,
    CompletionState,
    Event,
    EventType,
    Example,
    Given,
    Label,
    Prediction,
    Project,
    Ratios,
    ScoredSpan,
    Snapshot,
    Span,
    Split,
    SplitPolicy,
    Task,
)
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
        version=body["version"],
        created=body["created"],
        updated=body["updated"],
    )


def task_document(task: Task) -> Document:
    """Return the resource part of a task's document; `external_id` is null when there is none."""
    return {
        "project": task.project,
        "task": task.id,
        "text": task.text,
        "external_id": task.external_id or None,
        "split": task.split.value,
        "metadata": _pairs(task.metadata),
        "tokenised": task.tokenised,
        "status": task.status.value,
        "completions": [completion_document(one) for one in task.completions],
        "version": task.version,
        "created": task.created,
        "updated": task.updated,
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
        completions=tuple(_to_completion(one) for one in body["completions"]),
        version=body["version"],
        created=body["created"],
        updated=body["updated"],
    )


def completion_document(completion: Completion) -> Document:
    """Return the object that stands for a completion within its task's document."""
    return {
        "id": completion.id,
        "author": completion.author,
        "state": completion.state.value,
        "spans": [span_list(span) for span in completion.spans],
        "copied_from": completion.copied_from,
        "version": completion.version,
        "created": completion.created,
        "updated": completion.updated,
        "submitted": completion.submitted,
    }


def _to_completion(body: Document) -> Completion:
    return Completion(
        id=body["id"],
        author=body["author"],
        state=CompletionState(body["state"]),
        spans=tuple(to_span(span) for span in body["spans"]),
        copied_from=body["copied_from"],
        version=body["version"],
        created=body["created"],
        updated=body["updated"],
        submitted=body["submitted"],
    )


def span_list(span: Span) -> list[Any]:
    """Return the stored form of a span."""
    return [span.start, span.end, span.label, span.id]


def to_span(stored: list[Any]) -> Span:
    """Read a span."""
    start, end, label, span_id = stored
    return Span(start=start, end=end, label=label, id=span_id)


def prediction_document(prediction: Prediction) -> Document:
    """Return the resource part of a prediction's document."""
    return {
        "project": prediction.project,
        "task": prediction.task,
        "prediction": prediction.id,
        "generation": prediction.generation,
        "adapters": _pairs(prediction.adapters),
        "model_versions": _pairs(prediction.model_versions),
        "spans": [[s.start, s.end, s.label, s.score] for s in prediction.spans],
        "version": 1,
        "created": prediction.created,
        "updated": prediction.created,
    }


def to_prediction(body: Document) -> Prediction:
    """Read a prediction."""
    return Prediction(
        project=body["project"],
        task=body["task"],
        id=body["prediction"],
        generation=body["generation"],
        adapters=dict(body["adapters"]),
        model_versions=dict(body["model_versions"]),
        spans=tuple(
            ScoredSpan(start=start, end=end, label=label, score=score)
            for start, end, label, score in body["spans"]
        ),
        created=body["created"],
    )


def snapshot_document(snapshot: Snapshot) -> Document:
    """Return the resource part of a snapshot's document."""
    return {
        "project": snapshot.project,
        "snapshot": snapshot.id,
        "content_hash": snapshot.content_hash,
        "policy": _policy_document(snapshot.policy),
        "labels": list(snapshot.labels),
        "example_counts": _pairs(snapshot.example_counts),
        "span_counts": _pairs(snapshot.span_counts),
        "chunks": snapshot.chunks,
        "version": 1,
        "created": snapshot.created,
        "updated": snapshot.created,
    }


def to_snapshot(body: Document) -> Snapshot:
    """Read a snapshot."""
    return Snapshot(
        project=body["project"],
        id=body["snapshot"],
        content_hash=body["content_hash"],
        policy=_to_policy(body["policy"]),
        labels=tuple(body["labels"]),
        example_counts=dict(body["example_counts"]),
        span_counts=dict(body["span_counts"]),
        chunks=body["chunks"],
        created=body["created"],
    )


def example_list(example: Example) -> list[Any]:
    """Return the stored form of an example within a chunk."""
    return [
        example.task,
        example.completion,
        example.text,
        [span_list(span) for span in example.spans],
        example.split.value,
    ]


def to_example(stored: list[Any]) -> Example:
    """Read an example of a chunk."""
    task, completion, text, spans, split = stored
    return Example(
        task=task,
        completion=completion,
        text=text,
        spans=tuple(to_span(span) for span in spans),
        split=Split(split),
    )


def to_event(body: Document) -> Event:
    """Read a published event."""
    return Event(
        sequence=body["sequence"],
        type=EventType(body["type"]),
        resource=body["resource"],
        time=body["time"],
    )


def _policy_document(policy: SplitPolicy) -> Document:
    match policy:
        case Ratios():
            return {
                "kind": "ratios",
                "train": policy.train,
                "dev": policy.dev,
                "test": policy.test,
                "seed": policy.seed,
            }
        case Given():
            return {"kind": "given", "seed": policy.seed}


def _to_policy(body: Document) -> SplitPolicy:
    if body["kind"] == "given":
        return Given(seed=body["seed"])
    return Ratios(
        train=float(body["train"]),
        dev=float(body["dev"]),
        test=float(body["test"]),
        seed=body["seed"],
    )


def _pairs(mapping: Mapping[str, Any]) -> list[list[Any]]:
    return [[key, mapping[key]] for key in sorted(mapping)]
