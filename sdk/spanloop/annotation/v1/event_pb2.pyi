import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EventType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_TYPE_UNSPECIFIED: _ClassVar[EventType]
    EVENT_TYPE_PROJECT_CREATED: _ClassVar[EventType]
    EVENT_TYPE_PROJECT_UPDATED: _ClassVar[EventType]
    EVENT_TYPE_LABEL_CREATED: _ClassVar[EventType]
    EVENT_TYPE_LABEL_UPDATED: _ClassVar[EventType]
    EVENT_TYPE_TASK_CREATED: _ClassVar[EventType]
    EVENT_TYPE_COMPLETION_CREATED: _ClassVar[EventType]
    EVENT_TYPE_COMPLETION_UPDATED: _ClassVar[EventType]
    EVENT_TYPE_COMPLETION_SUBMITTED: _ClassVar[EventType]
    EVENT_TYPE_SNAPSHOT_CREATED: _ClassVar[EventType]
    EVENT_TYPE_PREDICTION_WRITTEN: _ClassVar[EventType]
EVENT_TYPE_UNSPECIFIED: EventType
EVENT_TYPE_PROJECT_CREATED: EventType
EVENT_TYPE_PROJECT_UPDATED: EventType
EVENT_TYPE_LABEL_CREATED: EventType
EVENT_TYPE_LABEL_UPDATED: EventType
EVENT_TYPE_TASK_CREATED: EventType
EVENT_TYPE_COMPLETION_CREATED: EventType
EVENT_TYPE_COMPLETION_UPDATED: EventType
EVENT_TYPE_COMPLETION_SUBMITTED: EventType
EVENT_TYPE_SNAPSHOT_CREATED: EventType
EVENT_TYPE_PREDICTION_WRITTEN: EventType

class Event(_message.Message):
    __slots__ = ("sequence", "resume_token", "type", "resource", "time")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    resume_token: str
    type: EventType
    resource: str
    time: _timestamp_pb2.Timestamp
    def __init__(self, sequence: _Optional[int] = ..., resume_token: _Optional[str] = ..., type: _Optional[_Union[EventType, str]] = ..., resource: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
