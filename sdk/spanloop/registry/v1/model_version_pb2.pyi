import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from spanloop.common.v1 import evaluation_pb2 as _evaluation_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ModelVersionState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODEL_VERSION_STATE_UNSPECIFIED: _ClassVar[ModelVersionState]
    MODEL_VERSION_STATE_REGISTERED: _ClassVar[ModelVersionState]
    MODEL_VERSION_STATE_READY: _ClassVar[ModelVersionState]
    MODEL_VERSION_STATE_RETIRED: _ClassVar[ModelVersionState]
    MODEL_VERSION_STATE_FAILED: _ClassVar[ModelVersionState]
MODEL_VERSION_STATE_UNSPECIFIED: ModelVersionState
MODEL_VERSION_STATE_REGISTERED: ModelVersionState
MODEL_VERSION_STATE_READY: ModelVersionState
MODEL_VERSION_STATE_RETIRED: ModelVersionState
MODEL_VERSION_STATE_FAILED: ModelVersionState

class ParityReport(_message.Message):
    __slots__ = ("max_abs_diff", "texts", "span_mismatches")
    MAX_ABS_DIFF_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    SPAN_MISMATCHES_FIELD_NUMBER: _ClassVar[int]
    max_abs_diff: float
    texts: int
    span_mismatches: int
    def __init__(self, max_abs_diff: _Optional[float] = ..., texts: _Optional[int] = ..., span_mismatches: _Optional[int] = ...) -> None: ...

class Lineage(_message.Message):
    __slots__ = ("snapshot", "snapshot_content_hash", "training_job", "code_version", "parameters", "base_model_versions")
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_CONTENT_HASH_FIELD_NUMBER: _ClassVar[int]
    TRAINING_JOB_FIELD_NUMBER: _ClassVar[int]
    CODE_VERSION_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    BASE_MODEL_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    snapshot: str
    snapshot_content_hash: str
    training_job: str
    code_version: str
    parameters: str
    base_model_versions: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, snapshot: _Optional[str] = ..., snapshot_content_hash: _Optional[str] = ..., training_job: _Optional[str] = ..., code_version: _Optional[str] = ..., parameters: _Optional[str] = ..., base_model_versions: _Optional[_Iterable[str]] = ...) -> None: ...

class Baseline(_message.Message):
    __slots__ = ("model_version", "evaluation")
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    EVALUATION_FIELD_NUMBER: _ClassVar[int]
    model_version: str
    evaluation: _evaluation_pb2.SplitEvaluation
    def __init__(self, model_version: _Optional[str] = ..., evaluation: _Optional[_Union[_evaluation_pb2.SplitEvaluation, _Mapping]] = ...) -> None: ...

class ModelVersion(_message.Message):
    __slots__ = ("name", "number", "model_type", "adapters", "trunk_digest", "evaluation", "lineage", "state", "failure_message", "parity", "etag", "create_time", "control", "replacement", "replaced_by", "purge_time", "baseline")
    class AdaptersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    MODEL_TYPE_FIELD_NUMBER: _ClassVar[int]
    ADAPTERS_FIELD_NUMBER: _ClassVar[int]
    TRUNK_DIGEST_FIELD_NUMBER: _ClassVar[int]
    EVALUATION_FIELD_NUMBER: _ClassVar[int]
    LINEAGE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    PARITY_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    REPLACEMENT_FIELD_NUMBER: _ClassVar[int]
    REPLACED_BY_FIELD_NUMBER: _ClassVar[int]
    PURGE_TIME_FIELD_NUMBER: _ClassVar[int]
    BASELINE_FIELD_NUMBER: _ClassVar[int]
    name: str
    number: int
    model_type: _evaluation_pb2.ModelType
    adapters: _containers.ScalarMap[str, str]
    trunk_digest: str
    evaluation: _evaluation_pb2.EvaluationReport
    lineage: Lineage
    state: ModelVersionState
    failure_message: str
    parity: ParityReport
    etag: str
    create_time: _timestamp_pb2.Timestamp
    control: str
    replacement: int
    replaced_by: str
    purge_time: _timestamp_pb2.Timestamp
    baseline: Baseline
    def __init__(self, name: _Optional[str] = ..., number: _Optional[int] = ..., model_type: _Optional[_Union[_evaluation_pb2.ModelType, str]] = ..., adapters: _Optional[_Mapping[str, str]] = ..., trunk_digest: _Optional[str] = ..., evaluation: _Optional[_Union[_evaluation_pb2.EvaluationReport, _Mapping]] = ..., lineage: _Optional[_Union[Lineage, _Mapping]] = ..., state: _Optional[_Union[ModelVersionState, str]] = ..., failure_message: _Optional[str] = ..., parity: _Optional[_Union[ParityReport, _Mapping]] = ..., etag: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., control: _Optional[str] = ..., replacement: _Optional[int] = ..., replaced_by: _Optional[str] = ..., purge_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., baseline: _Optional[_Union[Baseline, _Mapping]] = ...) -> None: ...
