import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from spanloop.common.v1 import text_pb2 as _text_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Prediction(_message.Message):
    __slots__ = ("name", "task", "generation", "adapters", "model_versions", "spans", "create_time", "choices", "extra", "choice_adapters", "choice_model_versions", "assertion_adapter", "assertion_model_version", "signals")
    class AdaptersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class ModelVersionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class ChoiceAdaptersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class ChoiceModelVersionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    ADAPTERS_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    SPANS_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    CHOICES_FIELD_NUMBER: _ClassVar[int]
    EXTRA_FIELD_NUMBER: _ClassVar[int]
    CHOICE_ADAPTERS_FIELD_NUMBER: _ClassVar[int]
    CHOICE_MODEL_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    ASSERTION_ADAPTER_FIELD_NUMBER: _ClassVar[int]
    ASSERTION_MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    SIGNALS_FIELD_NUMBER: _ClassVar[int]
    name: str
    task: str
    generation: str
    adapters: _containers.ScalarMap[str, str]
    model_versions: _containers.ScalarMap[str, str]
    spans: _containers.RepeatedCompositeFieldContainer[_text_pb2.ScoredSpan]
    create_time: _timestamp_pb2.Timestamp
    choices: _containers.RepeatedCompositeFieldContainer[ScoredChoice]
    extra: str
    choice_adapters: _containers.ScalarMap[str, str]
    choice_model_versions: _containers.ScalarMap[str, str]
    assertion_adapter: str
    assertion_model_version: str
    signals: PredictionSignals
    def __init__(self, name: _Optional[str] = ..., task: _Optional[str] = ..., generation: _Optional[str] = ..., adapters: _Optional[_Mapping[str, str]] = ..., model_versions: _Optional[_Mapping[str, str]] = ..., spans: _Optional[_Iterable[_Union[_text_pb2.ScoredSpan, _Mapping]]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., choices: _Optional[_Iterable[_Union[ScoredChoice, _Mapping]]] = ..., extra: _Optional[str] = ..., choice_adapters: _Optional[_Mapping[str, str]] = ..., choice_model_versions: _Optional[_Mapping[str, str]] = ..., assertion_adapter: _Optional[str] = ..., assertion_model_version: _Optional[str] = ..., signals: _Optional[_Union[PredictionSignals, _Mapping]] = ...) -> None: ...

class PredictionSignals(_message.Message):
    __slots__ = ("least_confidence", "margin", "entropy", "embedding", "trunk_digest")
    LEAST_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    MARGIN_FIELD_NUMBER: _ClassVar[int]
    ENTROPY_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    TRUNK_DIGEST_FIELD_NUMBER: _ClassVar[int]
    least_confidence: float
    margin: float
    entropy: float
    embedding: bytes
    trunk_digest: str
    def __init__(self, least_confidence: _Optional[float] = ..., margin: _Optional[float] = ..., entropy: _Optional[float] = ..., embedding: _Optional[bytes] = ..., trunk_digest: _Optional[str] = ...) -> None: ...

class ScoredChoice(_message.Message):
    __slots__ = ("name", "value", "score")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: str
    score: float
    def __init__(self, name: _Optional[str] = ..., value: _Optional[str] = ..., score: _Optional[float] = ...) -> None: ...
