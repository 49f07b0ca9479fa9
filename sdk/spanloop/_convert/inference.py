"""Messages of the inference service."""

from __future__ import annotations

from collections.abc import Iterable

from spanloop._convert import basic
from spanloop._types import inference as types
from spanloop.inference.v1 import (
    inference_service_pb2,
    preannotation_job_pb2,
    predict_pb2,
    serving_state_pb2,
)


def granularity_to(granularity: types.Granularity | str | None) -> str:
    """Return a granularity's wire name; None is unspecified, i.e. spans."""
    name = types.Granularity(granularity or "unspecified").name
    return f"GRANULARITY_{name}"


def layout_to(layout: types.ExportLayout | str) -> str:
    """Return a layout's wire name."""
    return f"EXPORT_LAYOUT_{types.ExportLayout(layout).name}"


def result(message: inference_service_pb2.PredictResponse) -> types.PredictResult:
    """Return the answer to a Predict call."""
    generation = message.generation
    return types.PredictResult(
        predictions=tuple(_text(entry) for entry in message.predictions),
        generation=types.Generation(
            name=generation.name,
            deployment_revision=generation.deployment_revision,
            adapters=dict(sorted(generation.adapters.items())),
            model_versions=dict(sorted(generation.model_versions.items())),
            choice_adapters=dict(sorted(generation.choice_adapters.items())),
            choice_model_versions=dict(sorted(generation.choice_model_versions.items())),
            assertion_adapter=generation.assertion_adapter,
            assertion_model_version=generation.assertion_model_version,
            trial=generation.trial,
        ),
    )


def _text(message: predict_pb2.TextPrediction) -> types.TextPrediction:
    return types.TextPrediction(
        spans=basic.scored_from(message.spans),
        tokens=tuple(
            types.TokenPrediction(
                start=token.start,
                end=token.end,
                labels=tuple(
                    types.LabelScore(label=entry.label, score=entry.score) for entry in token.labels
                ),
            )
            for token in message.tokens
        ),
        windows=message.windows,
        choices=tuple(
            types.PredictedChoice(
                control=one.control, value=one.value, score=one.score, chosen=one.chosen
            )
            for one in message.choices
        ),
        assertions=tuple(
            types.SpanAssertion(
                start=one.start,
                end=one.end,
                statuses=tuple(
                    types.StatusScore(status=entry.status, score=entry.score)
                    for entry in one.statuses
                ),
            )
            for one in message.assertions
        ),
        uncertainty=types.Uncertainty(
            least_confidence=message.uncertainty.least_confidence,
            margin=message.uncertainty.margin,
            entropy=message.uncertainty.entropy,
        )
        if message.HasField("uncertainty")
        else None,
    )


def given_to(
    given: Iterable[Iterable[tuple[int, int]]],
) -> list[predict_pb2.GivenSpans]:
    """Return the spans whose status is wanted, one list per text."""
    return [
        predict_pb2.GivenSpans(
            spans=[predict_pb2.GivenSpans.Extent(start=start, end=end) for start, end in spans]
        )
        for spans in given
    ]


def serving_state(message: serving_state_pb2.ServingState) -> types.ServingState:
    """Return what an inference server holds."""
    return types.ServingState(
        generations=tuple(_loaded(entry) for entry in message.generations),
        execution_provider=message.execution_provider,
        registry_connected=message.registry_connected,
        candidates=tuple(
            types.TriedCandidate(
                trial=entry.trial,
                generation=_loaded(entry.generation) if entry.HasField("generation") else None,
                paused=entry.paused,
            )
            for entry in message.candidates
        ),
    )


def _loaded(message: serving_state_pb2.LoadedGeneration) -> types.LoadedGeneration:
    return types.LoadedGeneration(
        name=message.name,
        state=basic.enum_from(
            types.GenerationState,
            serving_state_pb2.GenerationState,
            "GENERATION_STATE_",
            message.state,
        ),
        deployment_revision=message.deployment_revision,
        model_versions=dict(sorted(message.model_versions.items())),
        trunk_digest=message.trunk_digest,
        resident_bytes=message.resident_bytes,
        active_requests=message.active_requests,
        error_message=message.error_message,
        load_seconds=message.load_seconds,
        ready_time=basic.time_from(message.ready_time, message.HasField("ready_time")),
        choice_model_versions=dict(sorted(message.choice_model_versions.items())),
        assertion_model_version=message.assertion_model_version,
    )


def preannotation_job(message: preannotation_job_pb2.PreannotationJob) -> types.PreannotationJob:
    """Return a pre-annotation job."""
    return types.PreannotationJob(
        name=message.name,
        labels=tuple(message.labels),
        min_score=message.min_score,
        stale_only=message.stale_only,
        state=basic.enum_from(
            types.PreannotationJobState,
            preannotation_job_pb2.PreannotationJobState,
            "PREANNOTATION_JOB_STATE_",
            message.state,
        ),
        generation=message.generation,
        total_tasks=message.total_tasks,
        done_tasks=message.done_tasks,
        skipped_tasks=message.skipped_tasks,
        written_predictions=message.written_predictions,
        failure_message=message.failure_message,
        cancel_requested=message.cancel_requested,
        etag=message.etag,
        create_time=basic.time_from(message.create_time, message.HasField("create_time")),
        start_time=basic.time_from(message.start_time, message.HasField("start_time")),
        end_time=basic.time_from(message.end_time, message.HasField("end_time")),
    )
