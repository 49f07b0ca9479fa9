import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from spanloop.annotation.v1 import project_pb2 as _project_pb2
from spanloop.annotation.v1 import task_pb2 as _task_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SelectionReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SELECTION_REASON_UNSPECIFIED: _ClassVar[SelectionReason]
    SELECTION_REASON_ACCEPTED: _ClassVar[SelectionReason]
    SELECTION_REASON_ONLY_SUBMITTED: _ClassVar[SelectionReason]
    SELECTION_REASON_MOST_RECENT: _ClassVar[SelectionReason]
    SELECTION_REASON_HIGHEST_PRIORITY: _ClassVar[SelectionReason]
    SELECTION_REASON_OTHER_ACCEPTED: _ClassVar[SelectionReason]
    SELECTION_REASON_REJECTED: _ClassVar[SelectionReason]
    SELECTION_REASON_DRAFT: _ClassVar[SelectionReason]
    SELECTION_REASON_DELETED: _ClassVar[SelectionReason]
    SELECTION_REASON_NOT_REVIEWED: _ClassVar[SelectionReason]
    SELECTION_REASON_OLDER: _ClassVar[SelectionReason]
    SELECTION_REASON_LOWER_PRIORITY: _ClassVar[SelectionReason]
    SELECTION_REASON_OTHER_ACCEPTED_LATER: _ClassVar[SelectionReason]
    SELECTION_REASON_NO_TEXT: _ClassVar[SelectionReason]
SELECTION_REASON_UNSPECIFIED: SelectionReason
SELECTION_REASON_ACCEPTED: SelectionReason
SELECTION_REASON_ONLY_SUBMITTED: SelectionReason
SELECTION_REASON_MOST_RECENT: SelectionReason
SELECTION_REASON_HIGHEST_PRIORITY: SelectionReason
SELECTION_REASON_OTHER_ACCEPTED: SelectionReason
SELECTION_REASON_REJECTED: SelectionReason
SELECTION_REASON_DRAFT: SelectionReason
SELECTION_REASON_DELETED: SelectionReason
SELECTION_REASON_NOT_REVIEWED: SelectionReason
SELECTION_REASON_OLDER: SelectionReason
SELECTION_REASON_LOWER_PRIORITY: SelectionReason
SELECTION_REASON_OTHER_ACCEPTED_LATER: SelectionReason
SELECTION_REASON_NO_TEXT: SelectionReason

class TaskFilter(_message.Message):
    __slots__ = ("statuses", "tags_any", "tags_all", "tags_none", "labels_any", "labels_all", "authors", "text_regex", "created_from", "created_before", "updated_from", "updated_before", "in_snapshot", "not_in_snapshot", "ground_truth")
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    TAGS_ANY_FIELD_NUMBER: _ClassVar[int]
    TAGS_ALL_FIELD_NUMBER: _ClassVar[int]
    TAGS_NONE_FIELD_NUMBER: _ClassVar[int]
    LABELS_ANY_FIELD_NUMBER: _ClassVar[int]
    LABELS_ALL_FIELD_NUMBER: _ClassVar[int]
    AUTHORS_FIELD_NUMBER: _ClassVar[int]
    TEXT_REGEX_FIELD_NUMBER: _ClassVar[int]
    CREATED_FROM_FIELD_NUMBER: _ClassVar[int]
    CREATED_BEFORE_FIELD_NUMBER: _ClassVar[int]
    UPDATED_FROM_FIELD_NUMBER: _ClassVar[int]
    UPDATED_BEFORE_FIELD_NUMBER: _ClassVar[int]
    IN_SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    NOT_IN_SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    GROUND_TRUTH_FIELD_NUMBER: _ClassVar[int]
    statuses: _containers.RepeatedScalarFieldContainer[_task_pb2.TaskStatus]
    tags_any: _containers.RepeatedScalarFieldContainer[str]
    tags_all: _containers.RepeatedScalarFieldContainer[str]
    tags_none: _containers.RepeatedScalarFieldContainer[str]
    labels_any: _containers.RepeatedScalarFieldContainer[str]
    labels_all: _containers.RepeatedScalarFieldContainer[str]
    authors: _containers.RepeatedScalarFieldContainer[str]
    text_regex: str
    created_from: _timestamp_pb2.Timestamp
    created_before: _timestamp_pb2.Timestamp
    updated_from: _timestamp_pb2.Timestamp
    updated_before: _timestamp_pb2.Timestamp
    in_snapshot: str
    not_in_snapshot: str
    ground_truth: bool
    def __init__(self, statuses: _Optional[_Iterable[_Union[_task_pb2.TaskStatus, str]]] = ..., tags_any: _Optional[_Iterable[str]] = ..., tags_all: _Optional[_Iterable[str]] = ..., tags_none: _Optional[_Iterable[str]] = ..., labels_any: _Optional[_Iterable[str]] = ..., labels_all: _Optional[_Iterable[str]] = ..., authors: _Optional[_Iterable[str]] = ..., text_regex: _Optional[str] = ..., created_from: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., created_before: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_from: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_before: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., in_snapshot: _Optional[str] = ..., not_in_snapshot: _Optional[str] = ..., ground_truth: _Optional[bool] = ...) -> None: ...

class Selection(_message.Message):
    __slots__ = ("filter", "reviewed_only", "tie_break")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    REVIEWED_ONLY_FIELD_NUMBER: _ClassVar[int]
    TIE_BREAK_FIELD_NUMBER: _ClassVar[int]
    filter: TaskFilter
    reviewed_only: bool
    tie_break: _project_pb2.TieBreak
    def __init__(self, filter: _Optional[_Union[TaskFilter, _Mapping]] = ..., reviewed_only: _Optional[bool] = ..., tie_break: _Optional[_Union[_project_pb2.TieBreak, str]] = ...) -> None: ...

class CompletionDecision(_message.Message):
    __slots__ = ("completion", "author", "taken", "reason")
    COMPLETION_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    TAKEN_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    completion: str
    author: str
    taken: bool
    reason: SelectionReason
    def __init__(self, completion: _Optional[str] = ..., author: _Optional[str] = ..., taken: _Optional[bool] = ..., reason: _Optional[_Union[SelectionReason, str]] = ...) -> None: ...

class TaskDecision(_message.Message):
    __slots__ = ("task", "taken", "completions")
    TASK_FIELD_NUMBER: _ClassVar[int]
    TAKEN_FIELD_NUMBER: _ClassVar[int]
    COMPLETIONS_FIELD_NUMBER: _ClassVar[int]
    task: str
    taken: bool
    completions: _containers.RepeatedCompositeFieldContainer[CompletionDecision]
    def __init__(self, task: _Optional[str] = ..., taken: _Optional[bool] = ..., completions: _Optional[_Iterable[_Union[CompletionDecision, _Mapping]]] = ...) -> None: ...
