"""Messages of groups, training settings and active learning."""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.duration_pb2 import Duration

from spanloop._convert import annotation, basic, team, training
from spanloop._types import automation as types
from spanloop._types.text import ModelType
from spanloop.trainer.v1 import training_job_pb2, training_settings_pb2


def data_to(data: types.TrainingData | None) -> training_job_pb2.TrainingData | None:
    """Return the choice of data as a message."""
    if data is None:
        return None
    return training_job_pb2.TrainingData(
        selection=team.selection_to(data.selection),
        split_policy=annotation.policy_to(data.split_policy),
    )


def transfer_to(
    transfer: types.TransferLearning | None,
) -> training_job_pb2.TransferLearning | None:
    """Return where to start from as a message."""
    if transfer is None:
        return None
    return training_job_pb2.TransferLearning(
        model_version=transfer.model_version, include_base_labels=transfer.include_base_labels
    )


def model_type_to(kind: ModelType | str) -> str:
    """Return a model type's wire name."""
    return f"MODEL_TYPE_{ModelType(kind).name}"


def model_types_to(kinds: Iterable[ModelType | str]) -> list[str]:
    """Return model types as wire names."""
    return [model_type_to(kind) for kind in kinds]


def template_to(template: types.TrainingTemplate | None) -> training_job_pb2.TrainingJob:
    """Return a template as a message; without data all completions are trained on."""
    template = template or types.TrainingTemplate()
    return training_job_pb2.TrainingJob(
        data=data_to(template.data or types.TrainingData()),
        parameters=training.parameters_to(template.parameters),
        trunk_source=template.trunk_source,
        engine=template.engine,
        transfer=transfer_to(template.transfer),
        resources=training.resources_to(template.resources),
        deploy=template.deploy,
        model_type=model_type_to(template.model_type),
        labels=template.labels,
        control=template.control,
    )


def _template(message: training_job_pb2.TrainingJob) -> types.TrainingTemplate:
    transfer = message.transfer
    return types.TrainingTemplate(
        data=types.TrainingData(
            selection=team.selection_from(message.data.selection)
            if message.data.HasField("selection")
            else None,
            split_policy=annotation.policy_from(message.data.split_policy),
        ),
        parameters=training.parameters_from(message.parameters),
        trunk_source=message.trunk_source,
        engine=message.engine,
        transfer=types.TransferLearning(
            model_version=transfer.model_version, include_base_labels=transfer.include_base_labels
        )
        if message.HasField("transfer")
        else None,
        resources=training.resources(message.resources),
        deploy=message.deploy,
        model_type=basic.model_type_from(message.model_type),
        labels=tuple(message.labels),
        control=message.control,
    )


def group(
    message: training_job_pb2.TrainingGroup, jobs: Iterable[training_job_pb2.TrainingJob]
) -> types.TrainingGroup:
    """Return a group with its jobs."""
    return types.TrainingGroup(
        name=message.name,
        training_jobs=tuple(map(training.job, jobs)),
        create_time=basic.time_from(message.create_time, message.HasField("create_time")),
    )


def gate_to(gate: types.DeploymentGate | None) -> training_settings_pb2.DeploymentGate | None:
    """Return a gate as a message."""
    if gate is None:
        return None
    return training_settings_pb2.DeploymentGate(
        min_micro_f1=gate.min_micro_f1, max_label_regression=gate.max_label_regression
    )


def policy_to(
    policy: types.ActiveLearningPolicy | None,
) -> training_settings_pb2.ActiveLearningPolicy | None:
    """Return a policy as a message."""
    if policy is None:
        return None
    message = training_settings_pb2.ActiveLearningPolicy(
        enabled=policy.enabled,
        min_new_completions=policy.min_new_completions,
        deploy=policy.deploy,
        template=template_to(policy.template),
    )
    if policy.max_interval is not None:
        interval = Duration()
        interval.FromTimedelta(policy.max_interval)
        message.max_interval.CopyFrom(interval)
    return message


def settings(message: training_settings_pb2.TrainingSettings) -> types.TrainingSettings:
    """Return training settings."""
    policy = message.active_learning
    return types.TrainingSettings(
        name=message.name,
        versioning_disabled=message.versioning_disabled,
        active_learning=types.ActiveLearningPolicy(
            enabled=policy.enabled,
            min_new_completions=policy.min_new_completions,
            max_interval=policy.max_interval.ToTimedelta()
            if policy.HasField("max_interval")
            else None,
            deploy=policy.deploy,
            template=_template(policy.template),
        ),
        gate=types.DeploymentGate(
            min_micro_f1=message.gate.min_micro_f1,
            max_label_regression=message.gate.max_label_regression,
        ),
        etag=message.etag,
        update_time=basic.time_from(message.update_time, message.HasField("update_time")),
    )


def state(message: training_settings_pb2.ActiveLearningState) -> types.ActiveLearningState:
    """Return where active learning stands."""
    return types.ActiveLearningState(
        name=message.name,
        new_completions=message.new_completions,
        training_jobs=tuple(message.training_jobs),
        last_run_time=basic.time_from(message.last_run_time, message.HasField("last_run_time")),
        queued=message.queued,
        message=message.message,
    )
