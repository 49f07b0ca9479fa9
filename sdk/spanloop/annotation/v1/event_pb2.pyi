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
    EVENT_TYPE_TASK_UPDATED: _ClassVar[EventType]
    EVENT_TYPE_TASK_DELETED: _ClassVar[EventType]
    EVENT_TYPE_TASK_RESTORED: _ClassVar[EventType]
    EVENT_TYPE_TASK_PURGED: _ClassVar[EventType]
    EVENT_TYPE_COMPLETION_ACCEPTED: _ClassVar[EventType]
    EVENT_TYPE_COMPLETION_REJECTED: _ClassVar[EventType]
    EVENT_TYPE_COMPLETION_REVIEW_WITHDRAWN: _ClassVar[EventType]
    EVENT_TYPE_COMPLETION_STARRED: _ClassVar[EventType]
    EVENT_TYPE_COMPLETION_UNSTARRED: _ClassVar[EventType]
    EVENT_TYPE_COMPLETION_DELETED: _ClassVar[EventType]
    EVENT_TYPE_COMPLETION_RESTORED: _ClassVar[EventType]
    EVENT_TYPE_MEMBER_ADDED: _ClassVar[EventType]
    EVENT_TYPE_MEMBER_UPDATED: _ClassVar[EventType]
    EVENT_TYPE_MEMBER_REMOVED: _ClassVar[EventType]
    EVENT_TYPE_RULE_SET_CREATED: _ClassVar[EventType]
    EVENT_TYPE_RULE_SET_UPDATED: _ClassVar[EventType]
    EVENT_TYPE_RULE_SET_DELETED: _ClassVar[EventType]
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
EVENT_TYPE_TASK_UPDATED: EventType
EVENT_TYPE_TASK_DELETED: EventType
EVENT_TYPE_TASK_RESTORED: EventType
EVENT_TYPE_TASK_PURGED: EventType
EVENT_TYPE_COMPLETION_ACCEPTED: EventType
EVENT_TYPE_COMPLETION_REJECTED: EventType
EVENT_TYPE_COMPLETION_REVIEW_WITHDRAWN: EventType
EVENT_TYPE_COMPLETION_STARRED: EventType
EVENT_TYPE_COMPLETION_UNSTARRED: EventType
EVENT_TYPE_COMPLETION_DELETED: EventType
EVENT_TYPE_COMPLETION_RESTORED: EventType
EVENT_TYPE_MEMBER_ADDED: EventType
EVENT_TYPE_MEMBER_UPDATED: EventType
EVENT_TYPE_MEMBER_REMOVED: EventType
EVENT_TYPE_RULE_SET_CREATED: EventType
EVENT_TYPE_RULE_SET_UPDATED: EventType
EVENT_TYPE_RULE_SET_DELETED: EventType

class Event(_message.Message):
    __slots__ = ("sequence", "resume_token", "type", "resource", "time", "actor", "version")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    resume_token: str
    type: EventType
    resource: str
    time: _timestamp_pb2.Timestamp
    actor: str
    version: int
    def __init__(self, sequence: _Optional[int] = ..., resume_token: _Optional[str] = ..., type: _Optional[_Union[EventType, str]] = ..., resource: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., actor: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...
