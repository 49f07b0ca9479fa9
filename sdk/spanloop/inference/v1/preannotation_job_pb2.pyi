import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PreannotationJobState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PREANNOTATION_JOB_STATE_UNSPECIFIED: _ClassVar[PreannotationJobState]
    PREANNOTATION_JOB_STATE_WAITING: _ClassVar[PreannotationJobState]
    PREANNOTATION_JOB_STATE_RUNNING: _ClassVar[PreannotationJobState]
    PREANNOTATION_JOB_STATE_DONE: _ClassVar[PreannotationJobState]
    PREANNOTATION_JOB_STATE_FAILED: _ClassVar[PreannotationJobState]
    PREANNOTATION_JOB_STATE_CANCELLED: _ClassVar[PreannotationJobState]
PREANNOTATION_JOB_STATE_UNSPECIFIED: PreannotationJobState
PREANNOTATION_JOB_STATE_WAITING: PreannotationJobState
PREANNOTATION_JOB_STATE_RUNNING: PreannotationJobState
PREANNOTATION_JOB_STATE_DONE: PreannotationJobState
PREANNOTATION_JOB_STATE_FAILED: PreannotationJobState
PREANNOTATION_JOB_STATE_CANCELLED: PreannotationJobState

class PreannotationJob(_message.Message):
    __slots__ = ("name", "labels", "min_score", "state", "generation", "total_tasks", "done_tasks", "written_predictions", "failure_message", "cancel_requested", "etag", "create_time", "start_time", "end_time", "stale_only", "skipped_tasks")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    MIN_SCORE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    TOTAL_TASKS_FIELD_NUMBER: _ClassVar[int]
    DONE_TASKS_FIELD_NUMBER: _ClassVar[int]
    WRITTEN_PREDICTIONS_FIELD_NUMBER: _ClassVar[int]
    FAILURE_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    CANCEL_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    STALE_ONLY_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_TASKS_FIELD_NUMBER: _ClassVar[int]
    name: str
    labels: _containers.RepeatedScalarFieldContainer[str]
    min_score: float
    state: PreannotationJobState
    generation: str
    total_tasks: int
    done_tasks: int
    written_predictions: int
    failure_message: str
    cancel_requested: bool
    etag: str
    create_time: _timestamp_pb2.Timestamp
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    stale_only: bool
    skipped_tasks: int
    def __init__(self, name: _Optional[str] = ..., labels: _Optional[_Iterable[str]] = ..., min_score: _Optional[float] = ..., state: _Optional[_Union[PreannotationJobState, str]] = ..., generation: _Optional[str] = ..., total_tasks: _Optional[int] = ..., done_tasks: _Optional[int] = ..., written_predictions: _Optional[int] = ..., failure_message: _Optional[str] = ..., cancel_requested: _Optional[bool] = ..., etag: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., stale_only: _Optional[bool] = ..., skipped_tasks: _Optional[int] = ...) -> None: ...
