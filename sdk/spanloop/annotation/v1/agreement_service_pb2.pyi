from spanloop.annotation.v1 import selection_pb2 as _selection_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ComputeAgreementRequest(_message.Message):
    __slots__ = ("parent", "filter", "authors", "labels")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    AUTHORS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    parent: str
    filter: _selection_pb2.TaskFilter
    authors: _containers.RepeatedScalarFieldContainer[str]
    labels: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, parent: _Optional[str] = ..., filter: _Optional[_Union[_selection_pb2.TaskFilter, _Mapping]] = ..., authors: _Optional[_Iterable[str]] = ..., labels: _Optional[_Iterable[str]] = ...) -> None: ...

class AgreementMeasure(_message.Message):
    __slots__ = ("value", "undefined_reason")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    UNDEFINED_REASON_FIELD_NUMBER: _ClassVar[int]
    value: float
    undefined_reason: str
    def __init__(self, value: _Optional[float] = ..., undefined_reason: _Optional[str] = ...) -> None: ...

class PairAgreement(_message.Message):
    __slots__ = ("first", "second", "tasks", "spans", "exact_f1", "overlap_f1", "cohen_kappa")
    FIRST_FIELD_NUMBER: _ClassVar[int]
    SECOND_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    SPANS_FIELD_NUMBER: _ClassVar[int]
    EXACT_F1_FIELD_NUMBER: _ClassVar[int]
    OVERLAP_F1_FIELD_NUMBER: _ClassVar[int]
    COHEN_KAPPA_FIELD_NUMBER: _ClassVar[int]
    first: str
    second: str
    tasks: int
    spans: int
    exact_f1: AgreementMeasure
    overlap_f1: AgreementMeasure
    cohen_kappa: AgreementMeasure
    def __init__(self, first: _Optional[str] = ..., second: _Optional[str] = ..., tasks: _Optional[int] = ..., spans: _Optional[int] = ..., exact_f1: _Optional[_Union[AgreementMeasure, _Mapping]] = ..., overlap_f1: _Optional[_Union[AgreementMeasure, _Mapping]] = ..., cohen_kappa: _Optional[_Union[AgreementMeasure, _Mapping]] = ...) -> None: ...

class AgreementSummary(_message.Message):
    __slots__ = ("target", "tasks", "spans", "annotators", "exact_f1", "overlap_f1", "cohen_kappa", "fleiss_kappa", "krippendorff_alpha", "pairs")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    SPANS_FIELD_NUMBER: _ClassVar[int]
    ANNOTATORS_FIELD_NUMBER: _ClassVar[int]
    EXACT_F1_FIELD_NUMBER: _ClassVar[int]
    OVERLAP_F1_FIELD_NUMBER: _ClassVar[int]
    COHEN_KAPPA_FIELD_NUMBER: _ClassVar[int]
    FLEISS_KAPPA_FIELD_NUMBER: _ClassVar[int]
    KRIPPENDORFF_ALPHA_FIELD_NUMBER: _ClassVar[int]
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    target: str
    tasks: int
    spans: int
    annotators: int
    exact_f1: AgreementMeasure
    overlap_f1: AgreementMeasure
    cohen_kappa: AgreementMeasure
    fleiss_kappa: AgreementMeasure
    krippendorff_alpha: AgreementMeasure
    pairs: _containers.RepeatedCompositeFieldContainer[PairAgreement]
    def __init__(self, target: _Optional[str] = ..., tasks: _Optional[int] = ..., spans: _Optional[int] = ..., annotators: _Optional[int] = ..., exact_f1: _Optional[_Union[AgreementMeasure, _Mapping]] = ..., overlap_f1: _Optional[_Union[AgreementMeasure, _Mapping]] = ..., cohen_kappa: _Optional[_Union[AgreementMeasure, _Mapping]] = ..., fleiss_kappa: _Optional[_Union[AgreementMeasure, _Mapping]] = ..., krippendorff_alpha: _Optional[_Union[AgreementMeasure, _Mapping]] = ..., pairs: _Optional[_Iterable[_Union[PairAgreement, _Mapping]]] = ...) -> None: ...

class ComputeAgreementResponse(_message.Message):
    __slots__ = ("authors", "overall", "labels", "choices")
    AUTHORS_FIELD_NUMBER: _ClassVar[int]
    OVERALL_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    CHOICES_FIELD_NUMBER: _ClassVar[int]
    authors: _containers.RepeatedScalarFieldContainer[str]
    overall: AgreementSummary
    labels: _containers.RepeatedCompositeFieldContainer[AgreementSummary]
    choices: _containers.RepeatedCompositeFieldContainer[AgreementSummary]
    def __init__(self, authors: _Optional[_Iterable[str]] = ..., overall: _Optional[_Union[AgreementSummary, _Mapping]] = ..., labels: _Optional[_Iterable[_Union[AgreementSummary, _Mapping]]] = ..., choices: _Optional[_Iterable[_Union[AgreementSummary, _Mapping]]] = ...) -> None: ...
