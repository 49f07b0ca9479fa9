import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from spanloop.common.v1 import evaluation_pb2 as _evaluation_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DeployGate(_message.Message):
    __slots__ = ("split", "min_micro_f1", "min_label_f1", "max_label_regression")
    SPLIT_FIELD_NUMBER: _ClassVar[int]
    MIN_MICRO_F1_FIELD_NUMBER: _ClassVar[int]
    MIN_LABEL_F1_FIELD_NUMBER: _ClassVar[int]
    MAX_LABEL_REGRESSION_FIELD_NUMBER: _ClassVar[int]
    split: _evaluation_pb2.Split
    min_micro_f1: float
    min_label_f1: float
    max_label_regression: float
    def __init__(self, split: _Optional[_Union[_evaluation_pb2.Split, str]] = ..., min_micro_f1: _Optional[float] = ..., min_label_f1: _Optional[float] = ..., max_label_regression: _Optional[float] = ...) -> None: ...

class RetentionPolicy(_message.Message):
    __slots__ = ("keep_last", "max_age", "keep_revisions")
    KEEP_LAST_FIELD_NUMBER: _ClassVar[int]
    MAX_AGE_FIELD_NUMBER: _ClassVar[int]
    KEEP_REVISIONS_FIELD_NUMBER: _ClassVar[int]
    keep_last: int
    max_age: _duration_pb2.Duration
    keep_revisions: int
    def __init__(self, keep_last: _Optional[int] = ..., max_age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., keep_revisions: _Optional[int] = ...) -> None: ...

class RegistryPolicy(_message.Message):
    __slots__ = ("name", "gate", "retention", "etag", "update_time", "actor")
    NAME_FIELD_NUMBER: _ClassVar[int]
    GATE_FIELD_NUMBER: _ClassVar[int]
    RETENTION_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    name: str
    gate: DeployGate
    retention: RetentionPolicy
    etag: str
    update_time: _timestamp_pb2.Timestamp
    actor: str
    def __init__(self, name: _Optional[str] = ..., gate: _Optional[_Union[DeployGate, _Mapping]] = ..., retention: _Optional[_Union[RetentionPolicy, _Mapping]] = ..., etag: _Optional[str] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., actor: _Optional[str] = ...) -> None: ...
