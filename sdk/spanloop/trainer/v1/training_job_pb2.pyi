import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from spanloop.annotation.v1 import selection_pb2 as _selection_pb2
from spanloop.annotation.v1 import snapshot_pb2 as _snapshot_pb2
from spanloop.common.v1 import evaluation_pb2 as _evaluation_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TrainingJobState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRAINING_JOB_STATE_UNSPECIFIED: _ClassVar[TrainingJobState]
    TRAINING_JOB_STATE_WAITING: _ClassVar[TrainingJobState]
    TRAINING_JOB_STATE_TRAINING: _ClassVar[TrainingJobState]
    TRAINING_JOB_STATE_EVALUATING: _ClassVar[TrainingJobState]
    TRAINING_JOB_STATE_REGISTERING: _ClassVar[TrainingJobState]
    TRAINING_JOB_STATE_DONE: _ClassVar[TrainingJobState]
    TRAINING_JOB_STATE_FAILED: _ClassVar[TrainingJobState]
    TRAINING_JOB_STATE_CANCELLED: _ClassVar[TrainingJobState]

class TrainingFailureReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRAINING_FAILURE_REASON_UNSPECIFIED: _ClassVar[TrainingFailureReason]
    TRAINING_FAILURE_REASON_NO_TRAINING_DATA: _ClassVar[TrainingFailureReason]
    TRAINING_FAILURE_REASON_INVALID_PARAMETERS: _ClassVar[TrainingFailureReason]
    TRAINING_FAILURE_REASON_OUT_OF_MEMORY: _ClassVar[TrainingFailureReason]
    TRAINING_FAILURE_REASON_WORKER_LOST: _ClassVar[TrainingFailureReason]
    TRAINING_FAILURE_REASON_PARITY_FAILED: _ClassVar[TrainingFailureReason]
    TRAINING_FAILURE_REASON_TRUNK_UNAVAILABLE: _ClassVar[TrainingFailureReason]
    TRAINING_FAILURE_REASON_PEER_FAILED: _ClassVar[TrainingFailureReason]
    TRAINING_FAILURE_REASON_INTERNAL: _ClassVar[TrainingFailureReason]
    TRAINING_FAILURE_REASON_TOO_FEW_COMPLETIONS: _ClassVar[TrainingFailureReason]
    TRAINING_FAILURE_REASON_CONTRADICTORY_ANNOTATIONS: _ClassVar[TrainingFailureReason]
    TRAINING_FAILURE_REASON_SCRIPT_FAILED: _ClassVar[TrainingFailureReason]
    TRAINING_FAILURE_REASON_RESOURCES_INSUFFICIENT: _ClassVar[TrainingFailureReason]
    TRAINING_FAILURE_REASON_PRECISION_REFUSED: _ClassVar[TrainingFailureReason]

class TrainingSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRAINING_SOURCE_UNSPECIFIED: _ClassVar[TrainingSource]
    TRAINING_SOURCE_MANUAL: _ClassVar[TrainingSource]
    TRAINING_SOURCE_ACTIVE_LEARNING: _ClassVar[TrainingSource]
TRAINING_JOB_STATE_UNSPECIFIED: TrainingJobState
TRAINING_JOB_STATE_WAITING: TrainingJobState
TRAINING_JOB_STATE_TRAINING: TrainingJobState
TRAINING_JOB_STATE_EVALUATING: TrainingJobState
TRAINING_JOB_STATE_REGISTERING: TrainingJobState
TRAINING_JOB_STATE_DONE: TrainingJobState
TRAINING_JOB_STATE_FAILED: TrainingJobState
TRAINING_JOB_STATE_CANCELLED: TrainingJobState
TRAINING_FAILURE_REASON_UNSPECIFIED: TrainingFailureReason
TRAINING_FAILURE_REASON_NO_TRAINING_DATA: TrainingFailureReason
TRAINING_FAILURE_REASON_INVALID_PARAMETERS: TrainingFailureReason
TRAINING_FAILURE_REASON_OUT_OF_MEMORY: TrainingFailureReason
TRAINING_FAILURE_REASON_WORKER_LOST: TrainingFailureReason
TRAINING_FAILURE_REASON_PARITY_FAILED: TrainingFailureReason
TRAINING_FAILURE_REASON_TRUNK_UNAVAILABLE: TrainingFailureReason
TRAINING_FAILURE_REASON_PEER_FAILED: TrainingFailureReason
TRAINING_FAILURE_REASON_INTERNAL: TrainingFailureReason
TRAINING_FAILURE_REASON_TOO_FEW_COMPLETIONS: TrainingFailureReason
TRAINING_FAILURE_REASON_CONTRADICTORY_ANNOTATIONS: TrainingFailureReason
TRAINING_FAILURE_REASON_SCRIPT_FAILED: TrainingFailureReason
TRAINING_FAILURE_REASON_RESOURCES_INSUFFICIENT: TrainingFailureReason
TRAINING_FAILURE_REASON_PRECISION_REFUSED: TrainingFailureReason
TRAINING_SOURCE_UNSPECIFIED: TrainingSource
TRAINING_SOURCE_MANUAL: TrainingSource
TRAINING_SOURCE_ACTIVE_LEARNING: TrainingSource

class TrainingFailure(_message.Message):
    __slots__ = ("reason", "message")
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    reason: TrainingFailureReason
    message: str
    def __init__(self, reason: _Optional[_Union[TrainingFailureReason, str]] = ..., message: _Optional[str] = ...) -> None: ...

class TrainingParameters(_message.Message):
    __slots__ = ("epochs", "patience", "learning_rate", "weight_decay", "dropout", "tap_dropout", "batch_words", "width", "context", "seed", "max_length", "stride", "validation_split", "learning_rate_decay", "batch_words_start", "batch_growth", "weight_averaging", "engine_options")
    class EngineOptionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    EPOCHS_FIELD_NUMBER: _ClassVar[int]
    PATIENCE_FIELD_NUMBER: _ClassVar[int]
    LEARNING_RATE_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_DECAY_FIELD_NUMBER: _ClassVar[int]
    DROPOUT_FIELD_NUMBER: _ClassVar[int]
    TAP_DROPOUT_FIELD_NUMBER: _ClassVar[int]
    BATCH_WORDS_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    MAX_LENGTH_FIELD_NUMBER: _ClassVar[int]
    STRIDE_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_SPLIT_FIELD_NUMBER: _ClassVar[int]
    LEARNING_RATE_DECAY_FIELD_NUMBER: _ClassVar[int]
    BATCH_WORDS_START_FIELD_NUMBER: _ClassVar[int]
    BATCH_GROWTH_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_AVERAGING_FIELD_NUMBER: _ClassVar[int]
    ENGINE_OPTIONS_FIELD_NUMBER: _ClassVar[int]
    epochs: int
    patience: int
    learning_rate: float
    weight_decay: float
    dropout: float
    tap_dropout: float
    batch_words: int
    width: int
    context: int
    seed: int
    max_length: int
    stride: int
    validation_split: float
    learning_rate_decay: float
    batch_words_start: int
    batch_growth: float
    weight_averaging: float
    engine_options: _containers.ScalarMap[str, str]
    def __init__(self, epochs: _Optional[int] = ..., patience: _Optional[int] = ..., learning_rate: _Optional[float] = ..., weight_decay: _Optional[float] = ..., dropout: _Optional[float] = ..., tap_dropout: _Optional[float] = ..., batch_words: _Optional[int] = ..., width: _Optional[int] = ..., context: _Optional[int] = ..., seed: _Optional[int] = ..., max_length: _Optional[int] = ..., stride: _Optional[int] = ..., validation_split: _Optional[float] = ..., learning_rate_decay: _Optional[float] = ..., batch_words_start: _Optional[int] = ..., batch_growth: _Optional[float] = ..., weight_averaging: _Optional[float] = ..., engine_options: _Optional[_Mapping[str, str]] = ...) -> None: ...

class TrainingData(_message.Message):
    __slots__ = ("selection", "split_policy")
    SELECTION_FIELD_NUMBER: _ClassVar[int]
    SPLIT_POLICY_FIELD_NUMBER: _ClassVar[int]
    selection: _selection_pb2.Selection
    split_policy: _snapshot_pb2.SplitPolicy
    def __init__(self, selection: _Optional[_Union[_selection_pb2.Selection, _Mapping]] = ..., split_policy: _Optional[_Union[_snapshot_pb2.SplitPolicy, _Mapping]] = ...) -> None: ...

class TransferLearning(_message.Message):
    __slots__ = ("model_version", "include_base_labels")
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_BASE_LABELS_FIELD_NUMBER: _ClassVar[int]
    model_version: str
    include_base_labels: bool
    def __init__(self, model_version: _Optional[str] = ..., include_base_labels: _Optional[bool] = ...) -> None: ...

class TrainingResources(_message.Message):
    __slots__ = ("cpu", "gpu", "memory_bytes")
    CPU_FIELD_NUMBER: _ClassVar[int]
    GPU_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    cpu: int
    gpu: int
    memory_bytes: int
    def __init__(self, cpu: _Optional[int] = ..., gpu: _Optional[int] = ..., memory_bytes: _Optional[int] = ...) -> None: ...

class DeploymentOutcome(_message.Message):
    __slots__ = ("deployed", "deployment_revision", "message")
    DEPLOYED_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_REVISION_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    deployed: bool
    deployment_revision: int
    message: str
    def __init__(self, deployed: _Optional[bool] = ..., deployment_revision: _Optional[int] = ..., message: _Optional[str] = ...) -> None: ...

class TrunkPrecision(_message.Message):
    __slots__ = ("precision", "reason")
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    precision: str
    reason: str
    def __init__(self, precision: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class TrainingProgress(_message.Message):
    __slots__ = ("phase", "fraction", "epoch", "epochs")
    PHASE_FIELD_NUMBER: _ClassVar[int]
    FRACTION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    EPOCHS_FIELD_NUMBER: _ClassVar[int]
    phase: str
    fraction: float
    epoch: int
    epochs: int
    def __init__(self, phase: _Optional[str] = ..., fraction: _Optional[float] = ..., epoch: _Optional[int] = ..., epochs: _Optional[int] = ...) -> None: ...

class EpochMetrics(_message.Message):
    __slots__ = ("epoch", "loss", "dev_micro_f1", "dev_f1", "seconds")
    class DevF1Entry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    LOSS_FIELD_NUMBER: _ClassVar[int]
    DEV_MICRO_F1_FIELD_NUMBER: _ClassVar[int]
    DEV_F1_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    loss: float
    dev_micro_f1: float
    dev_f1: _containers.ScalarMap[str, float]
    seconds: float
    def __init__(self, epoch: _Optional[int] = ..., loss: _Optional[float] = ..., dev_micro_f1: _Optional[float] = ..., dev_f1: _Optional[_Mapping[str, float]] = ..., seconds: _Optional[float] = ...) -> None: ...

class TrainingTimings(_message.Message):
    __slots__ = ("trunk_seconds", "activation_seconds", "training_seconds", "evaluation_seconds", "registration_seconds")
    TRUNK_SECONDS_FIELD_NUMBER: _ClassVar[int]
    ACTIVATION_SECONDS_FIELD_NUMBER: _ClassVar[int]
    TRAINING_SECONDS_FIELD_NUMBER: _ClassVar[int]
    EVALUATION_SECONDS_FIELD_NUMBER: _ClassVar[int]
    REGISTRATION_SECONDS_FIELD_NUMBER: _ClassVar[int]
    trunk_seconds: float
    activation_seconds: float
    training_seconds: float
    evaluation_seconds: float
    registration_seconds: float
    def __init__(self, trunk_seconds: _Optional[float] = ..., activation_seconds: _Optional[float] = ..., training_seconds: _Optional[float] = ..., evaluation_seconds: _Optional[float] = ..., registration_seconds: _Optional[float] = ...) -> None: ...

class TrainingJob(_message.Message):
    __slots__ = ("name", "snapshot", "model_type", "labels", "base_model_version", "parameters", "trunk_source", "state", "attempt", "cancel_requested", "progress", "epochs", "evaluation", "model_version", "failure", "warnings", "timings", "worker", "etag", "create_time", "start_time", "end_time", "engine", "control", "data", "transfer", "resources", "waiting_reason", "source", "group", "deploy", "deployment", "example_counts", "script", "trunk_precision")
    class ExampleCountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    MODEL_TYPE_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    BASE_MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    TRUNK_SOURCE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    CANCEL_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    EPOCHS_FIELD_NUMBER: _ClassVar[int]
    EVALUATION_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    TRANSFER_FIELD_NUMBER: _ClassVar[int]
    RESOURCES_FIELD_NUMBER: _ClassVar[int]
    WAITING_REASON_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    DEPLOY_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_FIELD_NUMBER: _ClassVar[int]
    EXAMPLE_COUNTS_FIELD_NUMBER: _ClassVar[int]
    SCRIPT_FIELD_NUMBER: _ClassVar[int]
    TRUNK_PRECISION_FIELD_NUMBER: _ClassVar[int]
    name: str
    snapshot: str
    model_type: _evaluation_pb2.ModelType
    labels: _containers.RepeatedScalarFieldContainer[str]
    base_model_version: str
    parameters: TrainingParameters
    trunk_source: str
    state: TrainingJobState
    attempt: int
    cancel_requested: bool
    progress: TrainingProgress
    epochs: _containers.RepeatedCompositeFieldContainer[EpochMetrics]
    evaluation: _evaluation_pb2.EvaluationReport
    model_version: str
    failure: TrainingFailure
    warnings: _containers.RepeatedScalarFieldContainer[str]
    timings: TrainingTimings
    worker: str
    etag: str
    create_time: _timestamp_pb2.Timestamp
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    engine: str
    control: str
    data: TrainingData
    transfer: TransferLearning
    resources: TrainingResources
    waiting_reason: str
    source: TrainingSource
    group: str
    deploy: bool
    deployment: DeploymentOutcome
    example_counts: _containers.ScalarMap[str, int]
    script: str
    trunk_precision: TrunkPrecision
    def __init__(self, name: _Optional[str] = ..., snapshot: _Optional[str] = ..., model_type: _Optional[_Union[_evaluation_pb2.ModelType, str]] = ..., labels: _Optional[_Iterable[str]] = ..., base_model_version: _Optional[str] = ..., parameters: _Optional[_Union[TrainingParameters, _Mapping]] = ..., trunk_source: _Optional[str] = ..., state: _Optional[_Union[TrainingJobState, str]] = ..., attempt: _Optional[int] = ..., cancel_requested: _Optional[bool] = ..., progress: _Optional[_Union[TrainingProgress, _Mapping]] = ..., epochs: _Optional[_Iterable[_Union[EpochMetrics, _Mapping]]] = ..., evaluation: _Optional[_Union[_evaluation_pb2.EvaluationReport, _Mapping]] = ..., model_version: _Optional[str] = ..., failure: _Optional[_Union[TrainingFailure, _Mapping]] = ..., warnings: _Optional[_Iterable[str]] = ..., timings: _Optional[_Union[TrainingTimings, _Mapping]] = ..., worker: _Optional[str] = ..., etag: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., engine: _Optional[str] = ..., control: _Optional[str] = ..., data: _Optional[_Union[TrainingData, _Mapping]] = ..., transfer: _Optional[_Union[TransferLearning, _Mapping]] = ..., resources: _Optional[_Union[TrainingResources, _Mapping]] = ..., waiting_reason: _Optional[str] = ..., source: _Optional[_Union[TrainingSource, str]] = ..., group: _Optional[str] = ..., deploy: _Optional[bool] = ..., deployment: _Optional[_Union[DeploymentOutcome, _Mapping]] = ..., example_counts: _Optional[_Mapping[str, int]] = ..., script: _Optional[str] = ..., trunk_precision: _Optional[_Union[TrunkPrecision, _Mapping]] = ...) -> None: ...

class TrainingGroup(_message.Message):
    __slots__ = ("name", "training_jobs", "create_time")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TRAINING_JOBS_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    training_jobs: _containers.RepeatedScalarFieldContainer[str]
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., training_jobs: _Optional[_Iterable[str]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class TrainingLogLine(_message.Message):
    __slots__ = ("sequence", "time", "level", "message")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    time: _timestamp_pb2.Timestamp
    level: str
    message: str
    def __init__(self, sequence: _Optional[int] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., level: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...
