import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RetentionDecision(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RETENTION_DECISION_UNSPECIFIED: _ClassVar[RetentionDecision]
    RETENTION_DECISION_KEEP: _ClassVar[RetentionDecision]
    RETENTION_DECISION_REMOVE: _ClassVar[RetentionDecision]
RETENTION_DECISION_UNSPECIFIED: RetentionDecision
RETENTION_DECISION_KEEP: RetentionDecision
RETENTION_DECISION_REMOVE: RetentionDecision

class RetentionItem(_message.Message):
    __slots__ = ("resource", "decision", "reasons", "size_bytes", "create_time")
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    resource: str
    decision: RetentionDecision
    reasons: _containers.RepeatedScalarFieldContainer[str]
    size_bytes: int
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, resource: _Optional[str] = ..., decision: _Optional[_Union[RetentionDecision, str]] = ..., reasons: _Optional[_Iterable[str]] = ..., size_bytes: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RetentionSummary(_message.Message):
    __slots__ = ("applied", "removed_versions", "removed_adapters", "removed_trunks", "removed_files", "removed_bytes", "kept_bytes")
    APPLIED_FIELD_NUMBER: _ClassVar[int]
    REMOVED_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    REMOVED_ADAPTERS_FIELD_NUMBER: _ClassVar[int]
    REMOVED_TRUNKS_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FILES_FIELD_NUMBER: _ClassVar[int]
    REMOVED_BYTES_FIELD_NUMBER: _ClassVar[int]
    KEPT_BYTES_FIELD_NUMBER: _ClassVar[int]
    applied: bool
    removed_versions: int
    removed_adapters: int
    removed_trunks: int
    removed_files: int
    removed_bytes: int
    kept_bytes: int
    def __init__(self, applied: _Optional[bool] = ..., removed_versions: _Optional[int] = ..., removed_adapters: _Optional[int] = ..., removed_trunks: _Optional[int] = ..., removed_files: _Optional[int] = ..., removed_bytes: _Optional[int] = ..., kept_bytes: _Optional[int] = ...) -> None: ...
