import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from spanloop.trainer.v1 import training_job_pb2 as _training_job_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DeploymentGate(_message.Message):
    __slots__ = ("min_micro_f1", "max_label_regression")
    MIN_MICRO_F1_FIELD_NUMBER: _ClassVar[int]
    MAX_LABEL_REGRESSION_FIELD_NUMBER: _ClassVar[int]
    min_micro_f1: float
    max_label_regression: float
    def __init__(self, min_micro_f1: _Optional[float] = ..., max_label_regression: _Optional[float] = ...) -> None: ...

class ActiveLearningPolicy(_message.Message):
    __slots__ = ("enabled", "min_new_completions", "max_interval", "deploy", "template")
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    MIN_NEW_COMPLETIONS_FIELD_NUMBER: _ClassVar[int]
    MAX_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    DEPLOY_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    enabled: bool
    min_new_completions: int
    max_interval: _duration_pb2.Duration
    deploy: bool
    template: _training_job_pb2.TrainingJob
    def __init__(self, enabled: _Optional[bool] = ..., min_new_completions: _Optional[int] = ..., max_interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., deploy: _Optional[bool] = ..., template: _Optional[_Union[_training_job_pb2.TrainingJob, _Mapping]] = ...) -> None: ...

class TrainingSettings(_message.Message):
    __slots__ = ("name", "versioning_disabled", "active_learning", "gate", "etag", "update_time")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSIONING_DISABLED_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_LEARNING_FIELD_NUMBER: _ClassVar[int]
    GATE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    versioning_disabled: bool
    active_learning: ActiveLearningPolicy
    gate: DeploymentGate
    etag: str
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., versioning_disabled: _Optional[bool] = ..., active_learning: _Optional[_Union[ActiveLearningPolicy, _Mapping]] = ..., gate: _Optional[_Union[DeploymentGate, _Mapping]] = ..., etag: _Optional[str] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ActiveLearningState(_message.Message):
    __slots__ = ("name", "new_completions", "training_jobs", "last_run_time", "queued", "message")
    NAME_FIELD_NUMBER: _ClassVar[int]
    NEW_COMPLETIONS_FIELD_NUMBER: _ClassVar[int]
    TRAINING_JOBS_FIELD_NUMBER: _ClassVar[int]
    LAST_RUN_TIME_FIELD_NUMBER: _ClassVar[int]
    QUEUED_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    name: str
    new_completions: int
    training_jobs: _containers.RepeatedScalarFieldContainer[str]
    last_run_time: _timestamp_pb2.Timestamp
    queued: bool
    message: str
    def __init__(self, name: _Optional[str] = ..., new_completions: _Optional[int] = ..., training_jobs: _Optional[_Iterable[str]] = ..., last_run_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., queued: _Optional[bool] = ..., message: _Optional[str] = ...) -> None: ...
