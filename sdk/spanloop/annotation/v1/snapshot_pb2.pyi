import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from spanloop.annotation.v1 import completion_pb2 as _completion_pb2
from spanloop.annotation.v1 import selection_pb2 as _selection_pb2
from spanloop.common.v1 import evaluation_pb2 as _evaluation_pb2
from spanloop.common.v1 import text_pb2 as _text_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SplitPolicy(_message.Message):
    __slots__ = ("ratios", "given", "by_tags")
    class Ratios(_message.Message):
        __slots__ = ("train", "dev", "test", "seed", "stratify")
        TRAIN_FIELD_NUMBER: _ClassVar[int]
        DEV_FIELD_NUMBER: _ClassVar[int]
        TEST_FIELD_NUMBER: _ClassVar[int]
        SEED_FIELD_NUMBER: _ClassVar[int]
        STRATIFY_FIELD_NUMBER: _ClassVar[int]
        train: float
        dev: float
        test: float
        seed: int
        stratify: bool
        def __init__(self, train: _Optional[float] = ..., dev: _Optional[float] = ..., test: _Optional[float] = ..., seed: _Optional[int] = ..., stratify: _Optional[bool] = ...) -> None: ...
    class Given(_message.Message):
        __slots__ = ("seed",)
        SEED_FIELD_NUMBER: _ClassVar[int]
        seed: int
        def __init__(self, seed: _Optional[int] = ...) -> None: ...
    class ByTags(_message.Message):
        __slots__ = ("train", "dev", "test", "seed")
        TRAIN_FIELD_NUMBER: _ClassVar[int]
        DEV_FIELD_NUMBER: _ClassVar[int]
        TEST_FIELD_NUMBER: _ClassVar[int]
        SEED_FIELD_NUMBER: _ClassVar[int]
        train: _containers.RepeatedScalarFieldContainer[str]
        dev: _containers.RepeatedScalarFieldContainer[str]
        test: _containers.RepeatedScalarFieldContainer[str]
        seed: int
        def __init__(self, train: _Optional[_Iterable[str]] = ..., dev: _Optional[_Iterable[str]] = ..., test: _Optional[_Iterable[str]] = ..., seed: _Optional[int] = ...) -> None: ...
    RATIOS_FIELD_NUMBER: _ClassVar[int]
    GIVEN_FIELD_NUMBER: _ClassVar[int]
    BY_TAGS_FIELD_NUMBER: _ClassVar[int]
    ratios: SplitPolicy.Ratios
    given: SplitPolicy.Given
    by_tags: SplitPolicy.ByTags
    def __init__(self, ratios: _Optional[_Union[SplitPolicy.Ratios, _Mapping]] = ..., given: _Optional[_Union[SplitPolicy.Given, _Mapping]] = ..., by_tags: _Optional[_Union[SplitPolicy.ByTags, _Mapping]] = ...) -> None: ...

class Snapshot(_message.Message):
    __slots__ = ("name", "content_hash", "split_policy", "labels", "example_counts", "span_counts", "create_time", "selection", "positives", "choice_counts", "description", "assertion_counts")
    class ExampleCountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class SpanCountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class PositivesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: LabelValues
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[LabelValues, _Mapping]] = ...) -> None: ...
    class ChoiceCountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class AssertionCountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    CONTENT_HASH_FIELD_NUMBER: _ClassVar[int]
    SPLIT_POLICY_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    EXAMPLE_COUNTS_FIELD_NUMBER: _ClassVar[int]
    SPAN_COUNTS_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    SELECTION_FIELD_NUMBER: _ClassVar[int]
    POSITIVES_FIELD_NUMBER: _ClassVar[int]
    CHOICE_COUNTS_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    ASSERTION_COUNTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    content_hash: str
    split_policy: SplitPolicy
    labels: _containers.RepeatedScalarFieldContainer[str]
    example_counts: _containers.ScalarMap[str, int]
    span_counts: _containers.ScalarMap[str, int]
    create_time: _timestamp_pb2.Timestamp
    selection: _selection_pb2.Selection
    positives: _containers.MessageMap[str, LabelValues]
    choice_counts: _containers.ScalarMap[str, int]
    description: str
    assertion_counts: _containers.ScalarMap[str, int]
    def __init__(self, name: _Optional[str] = ..., content_hash: _Optional[str] = ..., split_policy: _Optional[_Union[SplitPolicy, _Mapping]] = ..., labels: _Optional[_Iterable[str]] = ..., example_counts: _Optional[_Mapping[str, int]] = ..., span_counts: _Optional[_Mapping[str, int]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., selection: _Optional[_Union[_selection_pb2.Selection, _Mapping]] = ..., positives: _Optional[_Mapping[str, LabelValues]] = ..., choice_counts: _Optional[_Mapping[str, int]] = ..., description: _Optional[str] = ..., assertion_counts: _Optional[_Mapping[str, int]] = ...) -> None: ...

class LabelValues(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, values: _Optional[_Iterable[str]] = ...) -> None: ...

class SnapshotExample(_message.Message):
    __slots__ = ("task", "completion", "text", "spans", "split", "choices", "relations", "group")
    TASK_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SPANS_FIELD_NUMBER: _ClassVar[int]
    SPLIT_FIELD_NUMBER: _ClassVar[int]
    CHOICES_FIELD_NUMBER: _ClassVar[int]
    RELATIONS_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    task: str
    completion: str
    text: str
    spans: _containers.RepeatedCompositeFieldContainer[_text_pb2.Span]
    split: _evaluation_pb2.Split
    choices: _containers.RepeatedCompositeFieldContainer[_completion_pb2.Choice]
    relations: _containers.RepeatedCompositeFieldContainer[_completion_pb2.Relation]
    group: str
    def __init__(self, task: _Optional[str] = ..., completion: _Optional[str] = ..., text: _Optional[str] = ..., spans: _Optional[_Iterable[_Union[_text_pb2.Span, _Mapping]]] = ..., split: _Optional[_Union[_evaluation_pb2.Split, str]] = ..., choices: _Optional[_Iterable[_Union[_completion_pb2.Choice, _Mapping]]] = ..., relations: _Optional[_Iterable[_Union[_completion_pb2.Relation, _Mapping]]] = ..., group: _Optional[str] = ...) -> None: ...
