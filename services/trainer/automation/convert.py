"""Messages of training settings, active learning and groups, and the values behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from google.protobuf.duration_pb2 import Duration

from services.common.errors import invalid_field
from services.common.times import to_timestamp
from services.trainer.automation.group_repository import TrainingGroup
from services.trainer.automation.policy_state import LearningState
from services.trainer.automation.settings import (
    DEFAULT_LABEL_REGRESSION,
    DEFAULT_NEW_COMPLETIONS,
    Gate,
    Policy,
    Settings,
)
from services.trainer.convert import job_in, job_out, model_type_of, model_type_value
from services.trainer.domain import ModelType, TrainingData, TrainingJob
from spanloop.common.v1 import evaluation_pb2
from spanloop.trainer.v1 import training_job_pb2, training_settings_pb2


def settings_in(message: training_settings_pb2.TrainingSettings) -> Settings:
    """Return the settings that a message holds; what is absent has its default."""
    gate = message.gate
    regression = DEFAULT_LABEL_REGRESSION
    if gate.HasField("max_label_regression"):
        regression = gate.max_label_regression
    return Settings(
        project="",
        versioning_disabled=message.versioning_disabled,
        policy=_policy_in(message.active_learning),
        gate=Gate(min_micro_f1=gate.min_micro_f1, max_label_regression=regression),
    )


def _policy_in(message: training_settings_pb2.ActiveLearningPolicy) -> Policy:
    kind = None
    if message.template.model_type != evaluation_pb2.MODEL_TYPE_UNSPECIFIED:
        kind = model_type_of(
            message.template.model_type, "training_settings.active_learning.template.model_type"
        )
    template = job_in(message.template)
    # Each run takes a snapshot of its own.
    data = template.data or TrainingData()
    return Policy(
        enabled=message.enabled,
        min_new_completions=message.min_new_completions or DEFAULT_NEW_COMPLETIONS,
        max_interval=message.max_interval.ToMicroseconds(),
        deploy=message.deploy,
        model_type=kind,
        template=replace(template, snapshot="", data=data),
    )


def settings_out(settings: Settings) -> training_settings_pb2.TrainingSettings:
    """Return the message of settings."""
    policy = settings.policy
    interval = None
    if policy.max_interval:
        interval = Duration()
        interval.FromMicroseconds(policy.max_interval)
    message = training_settings_pb2.TrainingSettings(
        name=settings.name,
        versioning_disabled=settings.versioning_disabled,
        active_learning=training_settings_pb2.ActiveLearningPolicy(
            enabled=policy.enabled,
            min_new_completions=policy.min_new_completions,
            max_interval=interval,
            deploy=policy.deploy,
            template=_template_out(policy),
        ),
        gate=training_settings_pb2.DeploymentGate(
            min_micro_f1=settings.gate.min_micro_f1,
            max_label_regression=settings.gate.max_label_regression,
        ),
        etag=settings.etag,
    )
    if settings.update_time:
        message.update_time.CopyFrom(to_timestamp(settings.update_time))
    return message


def _template_out(policy: Policy) -> training_job_pb2.TrainingJob:
    message = job_out(policy.template)
    for name in ("name", "state", "etag", "source", "create_time"):
        message.ClearField(name)
    message.model_type = (
        evaluation_pb2.MODEL_TYPE_UNSPECIFIED
        if policy.model_type is None
        else model_type_value(policy.model_type)
    )
    return message


def state_out(state: LearningState) -> training_settings_pb2.ActiveLearningState:
    """Return the message of where active learning stands."""
    message = training_settings_pb2.ActiveLearningState(
        name=state.name,
        new_completions=state.new_completions,
        training_jobs=state.training_jobs,
        queued=state.queued,
        message=state.message,
    )
    if state.last_run_time:
        message.last_run_time.CopyFrom(to_timestamp(state.last_run_time))
    return message


def types_in(numbers: Sequence[int]) -> list[ModelType]:
    """Return the model types that a request names.

    Raises:
        InvalidArgumentError: One is not a type.
    """
    return [model_type_of(number, f"model_types[{index}]") for index, number in enumerate(numbers)]


def template_in(message: training_job_pb2.TrainingJob) -> TrainingJob:
    """Return what the jobs of a group have in common.

    Raises:
        InvalidArgumentError: It names a type, which is the group's to say.
    """
    if message.model_type != evaluation_pb2.MODEL_TYPE_UNSPECIFIED:
        raise invalid_field("template.model_type", "must be empty: see model_types.")
    return job_in(message)


def group_out(group: TrainingGroup) -> training_job_pb2.TrainingGroup:
    """Return the message of a group."""
    return training_job_pb2.TrainingGroup(
        name=group.name,
        training_jobs=[job.name for job in group.jobs],
        create_time=to_timestamp(group.create_time),
    )
