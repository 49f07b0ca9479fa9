"""Protobuf messages to domain values and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from google.protobuf import json_format

from services.common.errors import invalid_field
from services.common.times import to_timestamp
from services.trainer.domain import (
    EpochMetrics,
    Failure,
    FailureReason,
    LogLine,
    ModelType,
    Parameters,
    Resources,
    SpanMetrics,
    SplitEvaluation,
    TrainingData,
    TrainingJob,
    TrainingSource,
    Transfer,
)
from services.trainer.handlers import WatchItem
from services.trainer.job_state import JobState
from spanloop.common.v1 import evaluation_pb2
from spanloop.trainer.v1 import trainer_service_pb2, training_job_pb2

_STATES = {
    JobState.WAITING: training_job_pb2.TRAINING_JOB_STATE_WAITING,
    JobState.TRAINING: training_job_pb2.TRAINING_JOB_STATE_TRAINING,
    JobState.EVALUATING: training_job_pb2.TRAINING_JOB_STATE_EVALUATING,
    JobState.REGISTERING: training_job_pb2.TRAINING_JOB_STATE_REGISTERING,
    JobState.DONE: training_job_pb2.TRAINING_JOB_STATE_DONE,
    JobState.FAILED: training_job_pb2.TRAINING_JOB_STATE_FAILED,
    JobState.CANCELLED: training_job_pb2.TRAINING_JOB_STATE_CANCELLED,
}
_STATES_IN: Mapping[int, JobState] = {number: state for state, number in _STATES.items()}
_REASONS = {
    FailureReason.NO_TRAINING_DATA: training_job_pb2.TRAINING_FAILURE_REASON_NO_TRAINING_DATA,
    FailureReason.INVALID_PARAMETERS: training_job_pb2.TRAINING_FAILURE_REASON_INVALID_PARAMETERS,
    FailureReason.OUT_OF_MEMORY: training_job_pb2.TRAINING_FAILURE_REASON_OUT_OF_MEMORY,
    FailureReason.WORKER_LOST: training_job_pb2.TRAINING_FAILURE_REASON_WORKER_LOST,
    FailureReason.PARITY_FAILED: training_job_pb2.TRAINING_FAILURE_REASON_PARITY_FAILED,
    FailureReason.TRUNK_UNAVAILABLE: training_job_pb2.TRAINING_FAILURE_REASON_TRUNK_UNAVAILABLE,
    FailureReason.PEER_FAILED: training_job_pb2.TRAINING_FAILURE_REASON_PEER_FAILED,
    FailureReason.INTERNAL: training_job_pb2.TRAINING_FAILURE_REASON_INTERNAL,
    FailureReason.TOO_FEW_COMPLETIONS: training_job_pb2.TRAINING_FAILURE_REASON_TOO_FEW_COMPLETIONS,
    FailureReason.CONTRADICTORY_ANNOTATIONS: (
        training_job_pb2.TRAINING_FAILURE_REASON_CONTRADICTORY_ANNOTATIONS
    ),
    FailureReason.SCRIPT_FAILED: training_job_pb2.TRAINING_FAILURE_REASON_SCRIPT_FAILED,
    FailureReason.RESOURCES_INSUFFICIENT: (
        training_job_pb2.TRAINING_FAILURE_REASON_RESOURCES_INSUFFICIENT
    ),
    FailureReason.PRECISION_REFUSED: training_job_pb2.TRAINING_FAILURE_REASON_PRECISION_REFUSED,
}
_TYPES = {
    ModelType.NER: evaluation_pb2.MODEL_TYPE_NER,
    ModelType.CLASSIFICATION: evaluation_pb2.MODEL_TYPE_CLASSIFICATION,
    ModelType.ASSERTION: evaluation_pb2.MODEL_TYPE_ASSERTION,
}
_TYPES_IN: Mapping[int, ModelType] = {
    evaluation_pb2.MODEL_TYPE_UNSPECIFIED: ModelType.NER,
    **{number: kind for kind, number in _TYPES.items()},
}
_SOURCES = {
    TrainingSource.MANUAL: training_job_pb2.TRAINING_SOURCE_MANUAL,
    TrainingSource.ACTIVE_LEARNING: training_job_pb2.TRAINING_SOURCE_ACTIVE_LEARNING,
}
_SPLITS = {
    "train": evaluation_pb2.SPLIT_TRAIN,
    "dev": evaluation_pb2.SPLIT_DEV,
    "test": evaluation_pb2.SPLIT_TEST,
}
# 0 is out of these parameters' bounds, so it means the default; for the others it is a value.
_ZERO_IS_DEFAULT = (
    "epochs",
    "patience",
    "learning_rate",
    "batch_words",
    "width",
    "max_length",
    "batch_words_start",
    "batch_growth",
)

# What a caller may send back from an answer; it does not make another request.
_OUTPUT_ONLY: tuple[Any, ...] = (
    "name",
    "state",
    "attempt",
    "cancel_requested",
    "progress",
    "epochs",
    "evaluation",
    "model_version",
    "failure",
    "warnings",
    "timings",
    "worker",
    "etag",
    "create_time",
    "start_time",
    "end_time",
    "waiting_reason",
    "source",
    "group",
    "deployment",
    "example_counts",
    "trunk_precision",
)


def job_in(message: training_job_pb2.TrainingJob) -> TrainingJob:
    """Return a job with the fields that a caller may set."""
    transfer = None
    if message.HasField("transfer"):
        transfer = Transfer(
            model_version=message.transfer.model_version,
            include_base_labels=message.transfer.include_base_labels,
        )
    return TrainingJob(
        project="",
        id="",
        snapshot=message.snapshot,
        labels=tuple(message.labels),
        base_model_version=message.base_model_version,
        parameters=_parameters_in(message.parameters),
        trunk_source=message.trunk_source,
        model_type=model_type_in(message.model_type, "training_job.model_type"),
        control=message.control,
        engine=message.engine or "ladder",
        transfer=transfer,
        resources=Resources(
            cpu=message.resources.cpu,
            gpu=message.resources.gpu,
            memory_bytes=message.resources.memory_bytes,
        ),
        deploy=message.deploy,
        script=message.script,
        data=data_in(message.data) if message.HasField("data") else None,
    )


def data_in(message: training_job_pb2.TrainingData) -> TrainingData:
    """Return the choice of data, to be judged by the annotation service."""
    document = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return TrainingData(document=json.dumps(document, sort_keys=True))


def fingerprint_in(message: training_job_pb2.TrainingJob) -> bytes:
    """Return the canonical bytes of what a caller asked for."""
    asked = training_job_pb2.TrainingJob()
    asked.CopyFrom(message)
    for name in _OUTPUT_ONLY:
        asked.ClearField(name)
    return bytes(asked.SerializeToString(deterministic=True))


def states_in(numbers: Sequence[int]) -> list[JobState]:
    """Return the states of a filter.

    Raises:
        InvalidArgumentError: One is not a state.
    """
    for index, number in enumerate(numbers):
        if number not in _STATES_IN:
            raise invalid_field(f"states[{index}]", "is not a state of a training job.")
    return [_STATES_IN[number] for number in numbers]


def model_type_in(number: int, field: str) -> ModelType:
    """Return the model type of a field; unspecified means NER.

    Raises:
        InvalidArgumentError: It is not a type.
    """
    if number not in _TYPES_IN:
        raise invalid_field(field, "is not a model type.")
    return _TYPES_IN[number]


def model_type_of(number: int, field: str) -> ModelType:
    """Return the model type of a field that must name one.

    Raises:
        InvalidArgumentError: It is not a type.
    """
    for kind, value in _TYPES.items():
        if value == number:
            return kind
    raise invalid_field(field, "is not a model type.")


def model_type_value(kind: ModelType) -> evaluation_pb2.ModelType:
    """Return the contract's number of a type."""
    return _TYPES[kind]


def source_in(number: int) -> TrainingSource | None:
    """Return the source of a filter; None: any.

    Raises:
        InvalidArgumentError: It is none.
    """
    if number == training_job_pb2.TRAINING_SOURCE_UNSPECIFIED:
        return None
    for source, known in _SOURCES.items():
        if known == number:
            return source
    raise invalid_field("source", "is not a source of training jobs.")


def job_out(job: TrainingJob) -> training_job_pb2.TrainingJob:
    """Return a job's message."""
    message = training_job_pb2.TrainingJob(
        name=job.name,
        snapshot=job.snapshot,
        model_type=_TYPES[job.model_type],
        labels=job.labels,
        base_model_version=job.base_model_version,
        parameters=_parameters_out(job.parameters),
        trunk_source=job.trunk_source,
        state=_STATES[job.state],
        attempt=job.attempt,
        cancel_requested=job.cancel_requested,
        progress=training_job_pb2.TrainingProgress(
            phase=job.progress.phase,
            fraction=job.progress.fraction,
            epoch=job.progress.epoch,
            epochs=job.progress.epochs,
        ),
        epochs=[epoch_out(epoch) for epoch in job.epochs],
        model_version=job.model_version,
        warnings=job.warnings,
        timings=training_job_pb2.TrainingTimings(
            trunk_seconds=job.timings.trunk_seconds,
            activation_seconds=job.timings.activation_seconds,
            training_seconds=job.timings.training_seconds,
            evaluation_seconds=job.timings.evaluation_seconds,
            registration_seconds=job.timings.registration_seconds,
        ),
        worker=job.lease.worker,
        etag=job.etag,
        control=job.control,
        engine=job.engine,
        resources=resources_out(job.resources),
        waiting_reason=job.waiting_reason if job.state is JobState.WAITING else "",
        source=_SOURCES[job.source],
        group=job.group,
        deploy=job.deploy,
        example_counts=job.example_counts,
        script=job.script,
        create_time=to_timestamp(job.create_time),
    )
    if job.data is not None:
        json_format.Parse(job.data.document, message.data)
        message.data.SetInParent()
    if job.evaluation:
        message.evaluation.CopyFrom(evaluation_out(job.evaluation))
    if job.transfer is not None:
        message.transfer.model_version = job.transfer.model_version
        message.transfer.include_base_labels = job.transfer.include_base_labels
    if job.trunk_precision is not None:
        message.trunk_precision.precision = job.trunk_precision.precision
        message.trunk_precision.reason = job.trunk_precision.reason
    if job.deployment is not None:
        message.deployment.deployed = job.deployment.deployed
        message.deployment.deployment_revision = job.deployment.deployment_revision
        message.deployment.message = job.deployment.message
    if job.failure is not None:
        message.failure.CopyFrom(_failure_out(job.failure))
    if job.start_time:
        message.start_time.CopyFrom(to_timestamp(job.start_time))
    if job.end_time:
        message.end_time.CopyFrom(to_timestamp(job.end_time))
    return message


def resources_out(resources: Resources) -> training_job_pb2.TrainingResources:
    """Return the message of resources."""
    return training_job_pb2.TrainingResources(
        cpu=resources.cpu, gpu=resources.gpu, memory_bytes=resources.memory_bytes
    )


def evaluation_out(splits: Sequence[SplitEvaluation]) -> evaluation_pb2.EvaluationReport:
    """Return an evaluation's message."""
    return evaluation_pb2.EvaluationReport(
        splits=[
            evaluation_pb2.SplitEvaluation(
                split=_SPLITS[split.split],
                labels={label: _metrics_out(metrics) for label, metrics in split.labels.items()},
                micro=_metrics_out(split.micro),
                macro=_metrics_out(split.macro),
                texts=split.texts,
            )
            for split in splits
        ]
    )


def watch_out(item: WatchItem) -> trainer_service_pb2.WatchTrainingJobResponse:
    """Return a watch stream's message."""
    answer = trainer_service_pb2.WatchTrainingJobResponse
    match item.payload:
        case TrainingJob() as job:
            return answer(training_job=job_out(job), resume_token=item.resume_token)
        case LogLine() as line:
            return answer(
                log_line=training_job_pb2.TrainingLogLine(
                    sequence=line.sequence,
                    time=to_timestamp(line.time),
                    level=line.level,
                    message=line.message,
                ),
                resume_token=item.resume_token,
            )
        case _:
            return answer(heartbeat=answer.Heartbeat(), resume_token=item.resume_token)


def _parameters_in(message: training_job_pb2.TrainingParameters) -> Parameters:
    given: dict[str, Any] = {
        field.name: value
        for field, value in message.ListFields()
        if value or field.name not in _ZERO_IS_DEFAULT
    }
    given["engine_options"] = dict(message.engine_options)
    return Parameters(**given)


def _parameters_out(parameters: Parameters) -> training_job_pb2.TrainingParameters:
    given = {name: value for name, value in asdict(parameters).items() if value is not None}
    return training_job_pb2.TrainingParameters(**given)


def epoch_out(epoch: EpochMetrics) -> training_job_pb2.EpochMetrics:
    """Return the message of a pass."""
    return training_job_pb2.EpochMetrics(
        epoch=epoch.epoch,
        loss=epoch.loss,
        dev_micro_f1=epoch.dev_micro_f1,
        dev_f1=epoch.dev_f1,
        seconds=epoch.seconds,
    )


def _metrics_out(metrics: SpanMetrics) -> evaluation_pb2.SpanMetrics:
    return evaluation_pb2.SpanMetrics(
        precision=metrics.precision,
        recall=metrics.recall,
        f1=metrics.f1,
        support=metrics.support,
        predicted=metrics.predicted,
        correct=metrics.correct,
    )


def _failure_out(failure: Failure) -> training_job_pb2.TrainingFailure:
    return training_job_pb2.TrainingFailure(
        reason=_REASONS[failure.reason], message=failure.message
    )
