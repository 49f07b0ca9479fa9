import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TieBreak(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TIE_BREAK_UNSPECIFIED: _ClassVar[TieBreak]
    TIE_BREAK_MOST_RECENT: _ClassVar[TieBreak]
    TIE_BREAK_HIGHEST_PRIORITY: _ClassVar[TieBreak]
TIE_BREAK_UNSPECIFIED: TieBreak
TIE_BREAK_MOST_RECENT: TieBreak
TIE_BREAK_HIGHEST_PRIORITY: TieBreak

class Project(_message.Message):
    __slots__ = ("name", "display_name", "etag", "create_time", "update_time", "task_count", "submitted_task_count", "labeling_config", "tie_break", "status_counts")
    class StatusCountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    TASK_COUNT_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_TASK_COUNT_FIELD_NUMBER: _ClassVar[int]
    LABELING_CONFIG_FIELD_NUMBER: _ClassVar[int]
    TIE_BREAK_FIELD_NUMBER: _ClassVar[int]
    STATUS_COUNTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    display_name: str
    etag: str
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    task_count: int
    submitted_task_count: int
    labeling_config: str
    tie_break: TieBreak
    status_counts: _containers.ScalarMap[str, int]
    def __init__(self, name: _Optional[str] = ..., display_name: _Optional[str] = ..., etag: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., task_count: _Optional[int] = ..., submitted_task_count: _Optional[int] = ..., labeling_config: _Optional[str] = ..., tie_break: _Optional[_Union[TieBreak, str]] = ..., status_counts: _Optional[_Mapping[str, int]] = ...) -> None: ...
