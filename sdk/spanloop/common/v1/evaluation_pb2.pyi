from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Split(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SPLIT_UNSPECIFIED: _ClassVar[Split]
    SPLIT_TRAIN: _ClassVar[Split]
    SPLIT_DEV: _ClassVar[Split]
    SPLIT_TEST: _ClassVar[Split]

class ModelType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODEL_TYPE_UNSPECIFIED: _ClassVar[ModelType]
    MODEL_TYPE_NER: _ClassVar[ModelType]
    MODEL_TYPE_CLASSIFICATION: _ClassVar[ModelType]
    MODEL_TYPE_ASSERTION: _ClassVar[ModelType]
SPLIT_UNSPECIFIED: Split
SPLIT_TRAIN: Split
SPLIT_DEV: Split
SPLIT_TEST: Split
MODEL_TYPE_UNSPECIFIED: ModelType
MODEL_TYPE_NER: ModelType
MODEL_TYPE_CLASSIFICATION: ModelType
MODEL_TYPE_ASSERTION: ModelType

class SpanMetrics(_message.Message):
    __slots__ = ("precision", "recall", "f1", "support", "predicted", "correct")
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    RECALL_FIELD_NUMBER: _ClassVar[int]
    F1_FIELD_NUMBER: _ClassVar[int]
    SUPPORT_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_FIELD_NUMBER: _ClassVar[int]
    CORRECT_FIELD_NUMBER: _ClassVar[int]
    precision: float
    recall: float
    f1: float
    support: int
    predicted: int
    correct: int
    def __init__(self, precision: _Optional[float] = ..., recall: _Optional[float] = ..., f1: _Optional[float] = ..., support: _Optional[int] = ..., predicted: _Optional[int] = ..., correct: _Optional[int] = ...) -> None: ...

class SplitEvaluation(_message.Message):
    __slots__ = ("split", "labels", "micro", "macro", "texts")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: SpanMetrics
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[SpanMetrics, _Mapping]] = ...) -> None: ...
    SPLIT_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    MICRO_FIELD_NUMBER: _ClassVar[int]
    MACRO_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    split: Split
    labels: _containers.MessageMap[str, SpanMetrics]
    micro: SpanMetrics
    macro: SpanMetrics
    texts: int
    def __init__(self, split: _Optional[_Union[Split, str]] = ..., labels: _Optional[_Mapping[str, SpanMetrics]] = ..., micro: _Optional[_Union[SpanMetrics, _Mapping]] = ..., macro: _Optional[_Union[SpanMetrics, _Mapping]] = ..., texts: _Optional[int] = ...) -> None: ...

class EvaluationReport(_message.Message):
    __slots__ = ("splits",)
    SPLITS_FIELD_NUMBER: _ClassVar[int]
    splits: _containers.RepeatedCompositeFieldContainer[SplitEvaluation]
    def __init__(self, splits: _Optional[_Iterable[_Union[SplitEvaluation, _Mapping]]] = ...) -> None: ...
