"""Messages of the trainer service."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from spanloop._convert import basic
from spanloop._types import training as types
from spanloop.trainer.v1 import training_job_pb2 as pb


def job(message: pb.TrainingJob) -> types.TrainingJob:
    """Return a training job."""
    return types.TrainingJob(
        name=message.name,
        snapshot=message.snapshot,
        model_type=basic.model_type_from(message.model_type),
        labels=tuple(message.labels),
        base_model_version=message.base_model_version,
        parameters=parameters_from(message.parameters),
        trunk_source=message.trunk_source,
        state=basic.enum_from(
            types.TrainingJobState, pb.TrainingJobState, "TRAINING_JOB_STATE_", message.state
        ),
        attempt=message.attempt,
        cancel_requested=message.cancel_requested,
        progress=types.TrainingProgress(
            phase=message.progress.phase,
            fraction=message.progress.fraction,
            epoch=message.progress.epoch,
            epochs=message.progress.epochs,
        ),
        epochs=tuple(epoch(entry) for entry in message.epochs),
        evaluation=(
            basic.evaluation_from(message.evaluation) if message.HasField("evaluation") else None
        ),
        model_version=message.model_version,
        failure=_failure(message.failure) if message.HasField("failure") else None,
        warnings=tuple(message.warnings),
        timings=_timings(message.timings),
        worker=message.worker,
        etag=message.etag,
        create_time=basic.time_from(message.create_time, message.HasField("create_time")),
        start_time=basic.time_from(message.start_time, message.HasField("start_time")),
        end_time=basic.time_from(message.end_time, message.HasField("end_time")),
        engine=message.engine,
        control=message.control,
        resources=resources(message.resources),
        waiting_reason=message.waiting_reason,
        source=basic.enum_from(
            types.TrainingSource, pb.TrainingSource, "TRAINING_SOURCE_", message.source
        ),
        group=message.group,
        deployment=_deployment(message.deployment) if message.HasField("deployment") else None,
        example_counts=dict(message.example_counts),
        trunk_precision=types.TrunkPrecision(
            precision=message.trunk_precision.precision, reason=message.trunk_precision.reason
        )
        if message.HasField("trunk_precision")
        else None,
    )


def log_line(message: pb.TrainingLogLine) -> types.TrainingLogLine:
    """Return a line of a job's log."""
    return types.TrainingLogLine(
        sequence=message.sequence,
        time=basic.time_from(message.time, message.HasField("time")),
        level=message.level,
        message=message.message,
    )


def parameters_to(parameters: types.TrainingParameters | None) -> pb.TrainingParameters:
    """Return parameters as a message; what is None stays absent."""
    given = asdict(parameters) if parameters is not None else {}
    return pb.TrainingParameters(**{key: v for key, v in given.items() if v is not None})


def resources(message: pb.TrainingResources) -> types.TrainingResources:
    """Return resources."""
    return types.TrainingResources(
        cpu=message.cpu, gpu=message.gpu, memory_bytes=message.memory_bytes
    )


def resources_to(resources: types.TrainingResources | None) -> pb.TrainingResources:
    """Return resources as a message; None is the engine's default."""
    return pb.TrainingResources(**asdict(resources)) if resources else pb.TrainingResources()


def source_to(source: types.TrainingSource | str | None) -> str:
    """Return a source as its wire name; None: any."""
    return f"TRAINING_SOURCE_{types.TrainingSource(source or 'unspecified').name}"


def states_to(states: Iterable[types.TrainingJobState | str]) -> list[str]:
    """Return job states as wire names."""
    return [f"TRAINING_JOB_STATE_{types.TrainingJobState(state).name}" for state in states]


def parameters_from(message: pb.TrainingParameters) -> types.TrainingParameters:
    """Return parameters; what is absent is None."""
    given = {descriptor.name: value for descriptor, value in message.ListFields()}
    return types.TrainingParameters(**{**given, "engine_options": dict(message.engine_options)})


def epoch(message: pb.EpochMetrics) -> types.EpochMetrics:
    """Return the figures of a pass."""
    return types.EpochMetrics(
        epoch=message.epoch,
        loss=message.loss,
        dev_micro_f1=message.dev_micro_f1,
        dev_f1=dict(message.dev_f1),
        seconds=message.seconds,
    )


def _deployment(message: pb.DeploymentOutcome) -> types.DeploymentOutcome:
    return types.DeploymentOutcome(
        deployed=message.deployed,
        deployment_revision=message.deployment_revision,
        message=message.message,
    )


def _failure(message: pb.TrainingFailure) -> types.TrainingFailure:
    return types.TrainingFailure(
        reason=basic.enum_from(
            types.TrainingFailureReason,
            pb.TrainingFailureReason,
            "TRAINING_FAILURE_REASON_",
            message.reason,
        ),
        message=message.message,
    )


def _timings(message: pb.TrainingTimings) -> types.TrainingTimings:
    return types.TrainingTimings(
        trunk_seconds=message.trunk_seconds,
        activation_seconds=message.activation_seconds,
        training_seconds=message.training_seconds,
        evaluation_seconds=message.evaluation_seconds,
        registration_seconds=message.registration_seconds,
    )
