"""Between protobuf messages and the domain; nothing else knows both."""

from __future__ import annotations

from collections.abc import Sequence

from services.common.errors import invalid_field
from services.common.offsets import OffsetEncoding
from services.common.times import to_timestamp
from services.inference.answers import TextAnswer, Wish
from services.inference.domain import (
    AdapterRef,
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
from services.inference.handlers.predict import PredictResult
from spanloop.annotation.v1 import annotation_service_pb2 as annotation_pb
from spanloop.annotation.v1 import prediction_pb2
from spanloop.common.v1 import text_pb2
from spanloop.inference.v1 import inference_service_pb2 as pb
from spanloop.inference.v1 import preannotation_job_pb2, predict_pb2, serving_state_pb2
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
_VERSION_STATES = {
    model_version_pb2.MODEL_VERSION_STATE_REGISTERED: VersionState.REGISTERED,
    model_version_pb2.MODEL_VERSION_STATE_READY: VersionState.READY,
    model_version_pb2.MODEL_VERSION_STATE_RETIRED: VersionState.RETIRED,
    model_version_pb2.MODEL_VERSION_STATE_FAILED: VersionState.FAILED,
}
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
    return Wish(tokens=tokens, min_score=request.min_score, top_n=request.top_n, encoding=encoding)


def predict_response(result: PredictResult) -> pb.PredictResponse:
    """Return the answer of Predict."""
    generation = predict_pb2.Generation(
        adapters={label: adapter.digest for label, adapter in result.adapters.items()},
        model_versions={label: ref.model_version for label, ref in result.adapters.items()},
    )
    if result.deployment is not None:
        generation.name = result.deployment.generation
        generation.deployment_revision = result.deployment.revision
    return pb.PredictResponse(
        predictions=[text_prediction(answer) for answer in result.answers], generation=generation
    )


def text_prediction(answer: TextAnswer) -> predict_pb2.TextPrediction:
    """Return the answer for one text."""
    return predict_pb2.TextPrediction(
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
    )


def span_messages(spans: Sequence[ScoredSpan]) -> list[text_pb2.ScoredSpan]:
    """Return spans as messages."""
    return [
        text_pb2.ScoredSpan(start=span.start, end=span.end, label=span.label, score=span.score)
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
        model_versions={label: ref.model_version for label, ref in adapters.items()},
        # All models of a deployment read one trunk today; of several the first is named.
        trunk_digest=min((ref.trunk_digest for ref in adapters.values()), default=""),
        resident_bytes=generation.resident_bytes,
        active_requests=generation.active,
        error_message=generation.error_message,
        load_seconds=generation.load_seconds,
    )
    if generation.ready_time is not None:
        message.ready_time.CopyFrom(to_timestamp(generation.ready_time))
    return message


def job_message(job: PreannotationJob) -> preannotation_job_pb2.PreannotationJob:
    """Return a job."""
    message = preannotation_job_pb2.PreannotationJob(
        name=job.name,
        labels=job.labels,
        min_score=job.min_score,
        state=_JOB_STATES[job.state],
        generation=job.progress.generation,
        total_tasks=job.progress.total_tasks or 0,
        done_tasks=job.progress.done_tasks,
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
    """Return a deployment of the registry."""
    return DeploymentRevision(
        project=message.name.split("/")[1],
        revision=message.revision,
        adapters={
            label: AdapterRef(
                digest=digest,
                trunk_digest=model.trunk_digest,
                model_version=model.model_version,
            )
            for model in message.models
            for label, digest in model.adapters.items()
        },
    )


def model_version_of(message: model_version_pb2.ModelVersion) -> ModelVersion:
    """Return a model version of the registry; a state that is new to us must not be served."""
    return ModelVersion(
        name=message.name,
        state=_VERSION_STATES.get(message.state, VersionState.REGISTERED),
        adapters={
            label: AdapterRef(
                digest=digest, trunk_digest=message.trunk_digest, model_version=message.name
            )
            for label, digest in message.adapters.items()
        },
    )


def task_page_of(message: annotation_pb.ListTasksResponse) -> TaskPage:
    """Return a page of tasks of the annotation service."""
    return TaskPage(
        tasks=tuple(OpenTask(name=task.name, text=task.text) for task in message.tasks),
        next_cursor=message.next_page_token,
    )


def prediction_message(prediction: TaskPrediction) -> prediction_pb2.Prediction:
    """Return a prediction as the annotation service takes it."""
    return prediction_pb2.Prediction(
        task=prediction.task,
        generation=prediction.generation,
        adapters={label: ref.digest for label, ref in prediction.adapters.items()},
        model_versions={label: ref.model_version for label, ref in prediction.adapters.items()},
        spans=span_messages(prediction.spans),
    )
