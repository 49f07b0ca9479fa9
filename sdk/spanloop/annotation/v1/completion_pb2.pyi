import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from spanloop.common.v1 import text_pb2 as _text_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CompletionState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COMPLETION_STATE_UNSPECIFIED: _ClassVar[CompletionState]
    COMPLETION_STATE_DRAFT: _ClassVar[CompletionState]
    COMPLETION_STATE_SUBMITTED: _ClassVar[CompletionState]
    COMPLETION_STATE_ACCEPTED: _ClassVar[CompletionState]
    COMPLETION_STATE_REJECTED: _ClassVar[CompletionState]

class RelationDirection(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RELATION_DIRECTION_UNSPECIFIED: _ClassVar[RelationDirection]
    RELATION_DIRECTION_RIGHT: _ClassVar[RelationDirection]
    RELATION_DIRECTION_LEFT: _ClassVar[RelationDirection]
    RELATION_DIRECTION_BOTH: _ClassVar[RelationDirection]
COMPLETION_STATE_UNSPECIFIED: CompletionState
COMPLETION_STATE_DRAFT: CompletionState
COMPLETION_STATE_SUBMITTED: CompletionState
COMPLETION_STATE_ACCEPTED: CompletionState
COMPLETION_STATE_REJECTED: CompletionState
RELATION_DIRECTION_UNSPECIFIED: RelationDirection
RELATION_DIRECTION_RIGHT: RelationDirection
RELATION_DIRECTION_LEFT: RelationDirection
RELATION_DIRECTION_BOTH: RelationDirection

class Choice(_message.Message):
    __slots__ = ("name", "values")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    name: str
    values: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., values: _Optional[_Iterable[str]] = ...) -> None: ...

class Relation(_message.Message):
    __slots__ = ("id", "source", "target", "labels", "direction")
    ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    id: str
    source: str
    target: str
    labels: _containers.RepeatedScalarFieldContainer[str]
    direction: RelationDirection
    def __init__(self, id: _Optional[str] = ..., source: _Optional[str] = ..., target: _Optional[str] = ..., labels: _Optional[_Iterable[str]] = ..., direction: _Optional[_Union[RelationDirection, str]] = ...) -> None: ...

class Region(_message.Message):
    __slots__ = ("id", "x", "y", "width", "height", "rotation", "labels", "text", "page", "attributes")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    ROTATION_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    id: str
    x: float
    y: float
    width: float
    height: float
    rotation: float
    labels: _containers.RepeatedScalarFieldContainer[str]
    text: str
    page: int
    attributes: _containers.ScalarMap[str, str]
    def __init__(self, id: _Optional[str] = ..., x: _Optional[float] = ..., y: _Optional[float] = ..., width: _Optional[float] = ..., height: _Optional[float] = ..., rotation: _Optional[float] = ..., labels: _Optional[_Iterable[str]] = ..., text: _Optional[str] = ..., page: _Optional[int] = ..., attributes: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Review(_message.Message):
    __slots__ = ("reviewer", "comment", "review_time")
    REVIEWER_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    REVIEW_TIME_FIELD_NUMBER: _ClassVar[int]
    reviewer: str
    comment: str
    review_time: _timestamp_pb2.Timestamp
    def __init__(self, reviewer: _Optional[str] = ..., comment: _Optional[str] = ..., review_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Completion(_message.Message):
    __slots__ = ("name", "author", "state", "spans", "copied_from", "etag", "create_time", "update_time", "submit_time", "choices", "relations", "regions", "extra", "review", "ground_truth", "lead_time_seconds", "delete_time")
    NAME_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SPANS_FIELD_NUMBER: _ClassVar[int]
    COPIED_FROM_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    SUBMIT_TIME_FIELD_NUMBER: _ClassVar[int]
    CHOICES_FIELD_NUMBER: _ClassVar[int]
    RELATIONS_FIELD_NUMBER: _ClassVar[int]
    REGIONS_FIELD_NUMBER: _ClassVar[int]
    EXTRA_FIELD_NUMBER: _ClassVar[int]
    REVIEW_FIELD_NUMBER: _ClassVar[int]
    GROUND_TRUTH_FIELD_NUMBER: _ClassVar[int]
    LEAD_TIME_SECONDS_FIELD_NUMBER: _ClassVar[int]
    DELETE_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    author: str
    state: CompletionState
    spans: _containers.RepeatedCompositeFieldContainer[_text_pb2.Span]
    copied_from: str
    etag: str
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    submit_time: _timestamp_pb2.Timestamp
    choices: _containers.RepeatedCompositeFieldContainer[Choice]
    relations: _containers.RepeatedCompositeFieldContainer[Relation]
    regions: _containers.RepeatedCompositeFieldContainer[Region]
    extra: str
    review: Review
    ground_truth: bool
    lead_time_seconds: float
    delete_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., author: _Optional[str] = ..., state: _Optional[_Union[CompletionState, str]] = ..., spans: _Optional[_Iterable[_Union[_text_pb2.Span, _Mapping]]] = ..., copied_from: _Optional[str] = ..., etag: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., submit_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., choices: _Optional[_Iterable[_Union[Choice, _Mapping]]] = ..., relations: _Optional[_Iterable[_Union[Relation, _Mapping]]] = ..., regions: _Optional[_Iterable[_Union[Region, _Mapping]]] = ..., extra: _Optional[str] = ..., review: _Optional[_Union[Review, _Mapping]] = ..., ground_truth: _Optional[bool] = ..., lead_time_seconds: _Optional[float] = ..., delete_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
