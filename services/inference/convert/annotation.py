"""What the annotation service tells and is told: tasks and their predictions."""

from __future__ import annotations

from collections.abc import Iterable

from services.inference.convert.basic import digests, span_messages, versions
from services.inference.domain import (
    AdapterDigests,
    AdapterKind,
    OpenTask,
    TaskPage,
    TaskPrediction,
)
from spanloop.annotation.v1 import annotation_service_pb2 as annotation_pb
from spanloop.annotation.v1 import prediction_pb2

_MAX_EMBEDDING = 8192


def task_page_of(message: annotation_pb.ListTasksResponse) -> TaskPage:
    """Return a page of tasks of the annotation service."""
    return TaskPage(
        tasks=tuple(OpenTask(name=task.name, text=task.text) for task in message.tasks),
        next_cursor=message.next_page_token,
    )


def newest_sources(
    predictions: Iterable[prediction_pb2.Prediction],
) -> dict[str, AdapterDigests]:
    """Return what the newest prediction of each task names, of those that a generation made."""
    newest: dict[str, AdapterDigests] = {}
    for one in predictions:
        # Rule sets and imported files propose too; a job does not take their place.
        if one.generation.startswith("projects/"):
            named = {(AdapterKind.LABEL, label): one.adapters[label] for label in one.adapters}
            for control in one.choice_adapters:
                named[AdapterKind.CONTROL, control] = one.choice_adapters[control]
            if one.assertion_adapter:
                named[AdapterKind.ASSERTION, ""] = one.assertion_adapter
            newest[one.task] = named
    return newest


def prediction_message(prediction: TaskPrediction) -> prediction_pb2.Prediction:
    """Return a prediction as the annotation service takes it."""
    adapters, sure = prediction.adapters, prediction.uncertainty
    message = prediction_pb2.Prediction(
        task=prediction.task,
        generation=prediction.generation,
        adapters=digests(adapters.labels),
        model_versions=versions(adapters.labels),
        spans=span_messages(prediction.spans),
        choices=[
            prediction_pb2.ScoredChoice(name=one.control, value=one.value, score=one.score)
            for one in prediction.choices
        ],
        choice_adapters=digests(adapters.controls),
        choice_model_versions=versions(adapters.controls),
        signals=prediction_pb2.PredictionSignals(
            least_confidence=sure.least_confidence, margin=sure.margin, entropy=sure.entropy
        ),
    )
    if adapters.assertion is not None:
        message.assertion_adapter = adapters.assertion.digest
        message.assertion_model_version = adapters.assertion.model_version
    # Of a wider trunk the annotation service takes no embedding: there is no diversity then.
    if prediction.embedding is not None and len(prediction.embedding.data) <= _MAX_EMBEDDING:
        message.signals.embedding = prediction.embedding.data
        message.signals.trunk_digest = prediction.embedding.trunk_digest
    return message
