from spanloop.common.v1 import text_pb2 as _text_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Granularity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GRANULARITY_UNSPECIFIED: _ClassVar[Granularity]
    GRANULARITY_SPAN: _ClassVar[Granularity]
    GRANULARITY_TOKEN: _ClassVar[Granularity]
GRANULARITY_UNSPECIFIED: Granularity
GRANULARITY_SPAN: Granularity
GRANULARITY_TOKEN: Granularity

class LabelScore(_message.Message):
    __slots__ = ("label", "score")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    label: str
    score: float
    def __init__(self, label: _Optional[str] = ..., score: _Optional[float] = ...) -> None: ...

class TokenPrediction(_message.Message):
    __slots__ = ("start", "end", "labels")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    start: int
    end: int
    labels: _containers.RepeatedCompositeFieldContainer[LabelScore]
    def __init__(self, start: _Optional[int] = ..., end: _Optional[int] = ..., labels: _Optional[_Iterable[_Union[LabelScore, _Mapping]]] = ...) -> None: ...

class PredictedChoice(_message.Message):
    __slots__ = ("control", "value", "score", "chosen")
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    CHOSEN_FIELD_NUMBER: _ClassVar[int]
    control: str
    value: str
    score: float
    chosen: bool
    def __init__(self, control: _Optional[str] = ..., value: _Optional[str] = ..., score: _Optional[float] = ..., chosen: _Optional[bool] = ...) -> None: ...

class StatusScore(_message.Message):
    __slots__ = ("status", "score")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    status: str
    score: float
    def __init__(self, status: _Optional[str] = ..., score: _Optional[float] = ...) -> None: ...

class SpanAssertion(_message.Message):
    __slots__ = ("start", "end", "statuses")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    start: int
    end: int
    statuses: _containers.RepeatedCompositeFieldContainer[StatusScore]
    def __init__(self, start: _Optional[int] = ..., end: _Optional[int] = ..., statuses: _Optional[_Iterable[_Union[StatusScore, _Mapping]]] = ...) -> None: ...

class GivenSpans(_message.Message):
    __slots__ = ("spans",)
    class Extent(_message.Message):
        __slots__ = ("start", "end")
        START_FIELD_NUMBER: _ClassVar[int]
        END_FIELD_NUMBER: _ClassVar[int]
        start: int
        end: int
        def __init__(self, start: _Optional[int] = ..., end: _Optional[int] = ...) -> None: ...
    SPANS_FIELD_NUMBER: _ClassVar[int]
    spans: _containers.RepeatedCompositeFieldContainer[GivenSpans.Extent]
    def __init__(self, spans: _Optional[_Iterable[_Union[GivenSpans.Extent, _Mapping]]] = ...) -> None: ...

class Uncertainty(_message.Message):
    __slots__ = ("least_confidence", "margin", "entropy")
    LEAST_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    MARGIN_FIELD_NUMBER: _ClassVar[int]
    ENTROPY_FIELD_NUMBER: _ClassVar[int]
    least_confidence: float
    margin: float
    entropy: float
    def __init__(self, least_confidence: _Optional[float] = ..., margin: _Optional[float] = ..., entropy: _Optional[float] = ...) -> None: ...

class TextPrediction(_message.Message):
    __slots__ = ("spans", "tokens", "windows", "choices", "assertions", "uncertainty")
    SPANS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    WINDOWS_FIELD_NUMBER: _ClassVar[int]
    CHOICES_FIELD_NUMBER: _ClassVar[int]
    ASSERTIONS_FIELD_NUMBER: _ClassVar[int]
    UNCERTAINTY_FIELD_NUMBER: _ClassVar[int]
    spans: _containers.RepeatedCompositeFieldContainer[_text_pb2.ScoredSpan]
    tokens: _containers.RepeatedCompositeFieldContainer[TokenPrediction]
    windows: int
    choices: _containers.RepeatedCompositeFieldContainer[PredictedChoice]
    assertions: _containers.RepeatedCompositeFieldContainer[SpanAssertion]
    uncertainty: Uncertainty
    def __init__(self, spans: _Optional[_Iterable[_Union[_text_pb2.ScoredSpan, _Mapping]]] = ..., tokens: _Optional[_Iterable[_Union[TokenPrediction, _Mapping]]] = ..., windows: _Optional[int] = ..., choices: _Optional[_Iterable[_Union[PredictedChoice, _Mapping]]] = ..., assertions: _Optional[_Iterable[_Union[SpanAssertion, _Mapping]]] = ..., uncertainty: _Optional[_Union[Uncertainty, _Mapping]] = ...) -> None: ...

class Generation(_message.Message):
    __slots__ = ("name", "deployment_revision", "adapters", "model_versions", "choice_adapters", "choice_model_versions", "assertion_adapter", "assertion_model_version", "trial")
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
    DEPLOYMENT_REVISION_FIELD_NUMBER: _ClassVar[int]
    ADAPTERS_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    CHOICE_ADAPTERS_FIELD_NUMBER: _ClassVar[int]
    CHOICE_MODEL_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    ASSERTION_ADAPTER_FIELD_NUMBER: _ClassVar[int]
    ASSERTION_MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    TRIAL_FIELD_NUMBER: _ClassVar[int]
    name: str
    deployment_revision: int
    adapters: _containers.ScalarMap[str, str]
    model_versions: _containers.ScalarMap[str, str]
    choice_adapters: _containers.ScalarMap[str, str]
    choice_model_versions: _containers.ScalarMap[str, str]
    assertion_adapter: str
    assertion_model_version: str
    trial: str
    def __init__(self, name: _Optional[str] = ..., deployment_revision: _Optional[int] = ..., adapters: _Optional[_Mapping[str, str]] = ..., model_versions: _Optional[_Mapping[str, str]] = ..., choice_adapters: _Optional[_Mapping[str, str]] = ..., choice_model_versions: _Optional[_Mapping[str, str]] = ..., assertion_adapter: _Optional[str] = ..., assertion_model_version: _Optional[str] = ..., trial: _Optional[str] = ...) -> None: ...
