"""Between protobuf messages and the domain; nothing else knows both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from google.rpc import code_pb2

from services.common.errors import SpanloopError, invalid_field
from services.common.offsets import OffsetEncoding
from services.common.times import to_timestamp
from services.inference.answers import TextAnswer, Wish
from services.inference.domain import (
    AdapterDigests,
    AdapterKind,
    AdapterRef,
    AdapterSet,
    DeploymentRevision,
    JobState,
    ModelVersion,
    OpenTask,
    PreannotationJob,
    ScoredSpan,
    TaskPage,
    TaskPrediction,
    VersionState,
)
from services.inference.generation import Generation, GenerationState
from services.inference.handlers.exports import Layout
from services.inference.handlers.predict import PredictResult
from spanloop.annotation.v1 import annotation_service_pb2 as annotation_pb
from spanloop.annotation.v1 import prediction_pb2
from spanloop.common.v1 import evaluation_pb2, text_pb2
from spanloop.inference.v1 import export_pb2, preannotation_job_pb2, predict_pb2, serving_state_pb2
from spanloop.inference.v1 import inference_service_pb2 as pb
from spanloop.registry.v1 import deployment_pb2, model_version_pb2

_ENCODINGS = {
    text_pb2.TEXT_OFFSET_ENCODING_UNSPECIFIED: OffsetEncoding.CODE_POINT,
    text_pb2.TEXT_OFFSET_ENCODING_CODE_POINT: OffsetEncoding.CODE_POINT,
    text_pb2.TEXT_OFFSET_ENCODING_UTF8: OffsetEncoding.UTF8,
    text_pb2.TEXT_OFFSET_ENCODING_UTF16: OffsetEncoding.UTF16,
}
_TOKENS = {
    predict_pb2.GRANULARITY_UNSPECIFIED: False,
    predict_pb2.GRANULARITY_SPAN: False,
    predict_pb2.GRANULARITY_TOKEN: True,
}
_LAYOUTS = {
    export_pb2.EXPORT_LAYOUT_UNSPECIFIED: Layout.ONNX,
    export_pb2.EXPORT_LAYOUT_ONNX: Layout.ONNX,
    export_pb2.EXPORT_LAYOUT_HUGGING_FACE: Layout.HUGGING_FACE,
}
_VERSION_STATES = {
    model_version_pb2.MODEL_VERSION_STATE_REGISTERED: VersionState.REGISTERED,
    model_version_pb2.MODEL_VERSION_STATE_READY: VersionState.READY,
    model_version_pb2.MODEL_VERSION_STATE_RETIRED: VersionState.RETIRED,
    model_version_pb2.MODEL_VERSION_STATE_FAILED: VersionState.FAILED,
}
_KINDS = {
    # Registries of the first release told no type: all they had were labels.
    evaluation_pb2.MODEL_TYPE_UNSPECIFIED: AdapterKind.LABEL,
    evaluation_pb2.MODEL_TYPE_NER: AdapterKind.LABEL,
    evaluation_pb2.MODEL_TYPE_CLASSIFICATION: AdapterKind.CONTROL,
    evaluation_pb2.MODEL_TYPE_ASSERTION: AdapterKind.ASSERTION,
}
_MAX_EMBEDDING = 8192
_JOB_STATES = {
    JobState.WAITING: preannotation_job_pb2.PREANNOTATION_JOB_STATE_WAITING,
    JobState.RUNNING: preannotation_job_pb2.PREANNOTATION_JOB_STATE_RUNNING,
    JobState.DONE: preannotation_job_pb2.PREANNOTATION_JOB_STATE_DONE,
    JobState.FAILED: preannotation_job_pb2.PREANNOTATION_JOB_STATE_FAILED,
    JobState.CANCELLED: preannotation_job_pb2.PREANNOTATION_JOB_STATE_CANCELLED,
}
# Total: UNLOADED ones are gone before anybody can ask, and would be the last of draining.
_GENERATION_STATES = {
    GenerationState.NEW: serving_state_pb2.GENERATION_STATE_LOADING,
    GenerationState.LOADING: serving_state_pb2.GENERATION_STATE_LOADING,
    GenerationState.READY: serving_state_pb2.GENERATION_STATE_READY,
    GenerationState.DRAINING: serving_state_pb2.GENERATION_STATE_DRAINING,
    GenerationState.UNLOADED: serving_state_pb2.GENERATION_STATE_DRAINING,
    GenerationState.ERROR: serving_state_pb2.GENERATION_STATE_ERROR,
}


def wish_of(request: pb.PredictRequest) -> Wish:
    """Return what a caller wants of each text.

    Raises:
        InvalidArgumentError: An enum field has a number that is no value of it.
    """
    tokens = _TOKENS.get(request.granularity)
    if tokens is None:
        raise invalid_field("granularity", "is not a value of Granularity.")
    encoding = _ENCODINGS.get(request.offset_encoding)
    if encoding is None:
        raise invalid_field("offset_encoding", "is not a value of TextOffsetEncoding.")
    return Wish(
        tokens=tokens,
        min_score=request.min_score,
        top_n=request.top_n,
        encoding=encoding,
        uncertainty=request.uncertainty,
    )


def layout_of(request: pb.ExportModelVersionRequest) -> Layout:
    """Return how an export is laid out.

    Raises:
        InvalidArgumentError: The number is no value of the enum.
    """
    layout = _LAYOUTS.get(request.layout)
    if layout is None:
        raise invalid_field("layout", "is not a value of ExportLayout.")
    return layout


def given_of(request: pb.PredictRequest) -> list[list[tuple[int, int]]]:
    """Return the spans whose status a caller wants, as they were sent."""
    return [[(span.start, span.end) for span in one.spans] for one in request.given_spans]


def predict_response(result: PredictResult) -> pb.PredictResponse:
    """Return the answer of Predict."""
    adapters = result.adapters
    generation = predict_pb2.Generation(
        adapters=_digests(adapters.labels),
        model_versions=_versions(adapters.labels),
        choice_adapters=_digests(adapters.controls),
        choice_model_versions=_versions(adapters.controls),
    )
    if adapters.assertion is not None:
        generation.assertion_adapter = adapters.assertion.digest
        generation.assertion_model_version = adapters.assertion.model_version
    if result.deployment is not None:
        generation.name = result.deployment.generation
        generation.deployment_revision = result.deployment.revision
        generation.trial = result.deployment.trial
    return pb.PredictResponse(
        predictions=[text_prediction(answer) for answer in result.answers], generation=generation
    )


def _digests(refs: Mapping[str, AdapterRef]) -> dict[str, str]:
    return {name: ref.digest for name, ref in refs.items()}


def _versions(refs: Mapping[str, AdapterRef]) -> dict[str, str]:
    return {name: ref.model_version for name, ref in refs.items()}


def text_prediction(answer: TextAnswer) -> predict_pb2.TextPrediction:
    """Return the answer for one text."""
    message = predict_pb2.TextPrediction(
        spans=span_messages(answer.spans),
        tokens=[
            predict_pb2.TokenPrediction(
                start=word.start,
                end=word.end,
                labels=[
                    predict_pb2.LabelScore(label=label, score=score) for label, score in word.labels
                ],
            )
            for word in answer.words
        ],
        windows=answer.windows,
        choices=[
            predict_pb2.PredictedChoice(
                control=choice.control,
                value=choice.value,
                score=choice.score,
                chosen=choice.chosen,
            )
            for choice in answer.choices
        ],
        assertions=[
            predict_pb2.SpanAssertion(
                start=one.start,
                end=one.end,
                statuses=[
                    predict_pb2.StatusScore(status=status, score=score)
                    for status, score in one.statuses
                ],
            )
            for one in answer.assertions
        ],
    )
    if (found := answer.uncertainty) is not None:
        message.uncertainty.CopyFrom(
            predict_pb2.Uncertainty(
                least_confidence=found.least_confidence,
                margin=found.margin,
                entropy=found.entropy,
            )
        )
    return message


def span_messages(spans: Sequence[ScoredSpan]) -> list[text_pb2.ScoredSpan]:
    """Return spans as messages."""
    return [
        text_pb2.ScoredSpan(
            start=span.start,
            end=span.end,
            label=span.label,
            score=span.score,
            assertion=span.assertion,
            assertion_score=span.assertion_score,
        )
        for span in spans
    ]


def generation_message(generation: Generation) -> serving_state_pb2.LoadedGeneration:
    """Return a generation as GetServingState tells it."""
    deployment = generation.deployment
    adapters = deployment.adapters
    message = serving_state_pb2.LoadedGeneration(
        name=deployment.generation,
        state=_GENERATION_STATES[generation.state],
        deployment_revision=deployment.revision,
        model_versions=_versions(adapters.labels),
        # Of several trunks the first is named.
        trunk_digest=min((ref.trunk_digest for _, _, ref in adapters.items()), default=""),
        resident_bytes=generation.resident_bytes,
        active_requests=generation.active,
        error_message=generation.error_message,
        load_seconds=generation.load_seconds,
        choice_model_versions=_versions(adapters.controls),
    )
    if adapters.assertion is not None:
        message.assertion_model_version = adapters.assertion.model_version
    if generation.ready_time is not None:
        message.ready_time.CopyFrom(to_timestamp(generation.ready_time))
    return message


def job_message(job: PreannotationJob) -> preannotation_job_pb2.PreannotationJob:
    """Return a job."""
    message = preannotation_job_pb2.PreannotationJob(
        name=job.name,
        labels=job.labels,
        min_score=job.min_score,
        stale_only=job.stale_only,
        state=_JOB_STATES[job.state],
        generation=job.progress.generation,
        total_tasks=job.progress.total_tasks or 0,
        done_tasks=job.progress.done_tasks,
        skipped_tasks=job.progress.skipped_tasks,
        written_predictions=job.progress.written_predictions,
        failure_message=job.failure_message,
        cancel_requested=job.cancel_requested,
        etag=str(job.revision),
        create_time=to_timestamp(job.create_time),
    )
    if job.start_time is not None:
        message.start_time.CopyFrom(to_timestamp(job.start_time))
    if job.end_time is not None:
        message.end_time.CopyFrom(to_timestamp(job.end_time))
    return message


def deployment_of(message: deployment_pb2.Deployment) -> DeploymentRevision:
    """Return a deployment of the registry; a model of a type that is new to us is left out."""
    deployed = AdapterSet.of(
        (
            _KINDS[model.model_type],
            name,
            AdapterRef(
                digest=digest,
                trunk_digest=model.trunk_digest,
                model_version=model.model_version,
            ),
        )
        for model in message.models
        if model.model_type in _KINDS
        for name, digest in model.adapters.items()
    )
    pinned = {
        pin.label: AdapterRef(
            digest=pin.adapter, trunk_digest=pin.trunk_digest, model_version=pin.model_version
        )
        for pin in message.pins
    }
    return DeploymentRevision(
        project=message.name.split("/")[1],
        revision=message.revision,
        adapters=replace(deployed, labels={**deployed.labels, **pinned}),
    )


def model_version_of(message: model_version_pb2.ModelVersion) -> ModelVersion:
    """Return a model version of the registry; a state that is new to us must not be served."""
    return ModelVersion(
        name=message.name,
        state=_VERSION_STATES.get(message.state, VersionState.REGISTERED),
        purged=message.HasField("purge_time"),
        adapters=AdapterSet.of(
            (
                _KINDS[message.model_type],
                name,
                AdapterRef(
                    digest=digest, trunk_digest=message.trunk_digest, model_version=message.name
                ),
            )
            for name, digest in message.adapters.items()
            if message.model_type in _KINDS
        ),
    )


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
            digests = {(AdapterKind.LABEL, label): one.adapters[label] for label in one.adapters}
            for control in one.choice_adapters:
                digests[AdapterKind.CONTROL, control] = one.choice_adapters[control]
            if one.assertion_adapter:
                digests[AdapterKind.ASSERTION, ""] = one.assertion_adapter
            newest[one.task] = digests
    return newest


def prediction_message(prediction: TaskPrediction) -> prediction_pb2.Prediction:
    """Return a prediction as the annotation service takes it."""
    adapters, sure = prediction.adapters, prediction.uncertainty
    message = prediction_pb2.Prediction(
        task=prediction.task,
        generation=prediction.generation,
        adapters=_digests(adapters.labels),
        model_versions=_versions(adapters.labels),
        spans=span_messages(prediction.spans),
        choices=[
            prediction_pb2.ScoredChoice(name=one.control, value=one.value, score=one.score)
            for one in prediction.choices
        ],
        choice_adapters=_digests(adapters.controls),
        choice_model_versions=_versions(adapters.controls),
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


def failure_message(error: SpanloopError) -> pb.PredictFailure:
    """Return what a stream says of a request that failed."""
    message = pb.PredictFailure(
        code=code_pb2.Code.Value(error.code.value),
        message=error.message,
        reason=error.reason.value,
        metadata=dict(error.metadata),
        field_violations=[
            pb.PredictFailure.FieldViolation(
                field=violation.field, description=violation.description
            )
            for violation in error.violations
        ],
    )
    if error.retry_after is not None:
        message.retry_delay.FromMicroseconds(round(error.retry_after * 1e6))
    return message
