from spanloop.common.v1 import evaluation_pb2 as _evaluation_pb2
from spanloop.trainer.v1 import training_job_pb2 as _training_job_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ConfusionCell(_message.Message):
    __slots__ = ("annotated", "predicted", "count")
    ANNOTATED_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    annotated: str
    predicted: str
    count: int
    def __init__(self, annotated: _Optional[str] = ..., predicted: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class LabelErrors(_message.Message):
    __slots__ = ("label", "correct", "spurious", "missed", "boundary", "wrong_label")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    CORRECT_FIELD_NUMBER: _ClassVar[int]
    SPURIOUS_FIELD_NUMBER: _ClassVar[int]
    MISSED_FIELD_NUMBER: _ClassVar[int]
    BOUNDARY_FIELD_NUMBER: _ClassVar[int]
    WRONG_LABEL_FIELD_NUMBER: _ClassVar[int]
    label: str
    correct: int
    spurious: int
    missed: int
    boundary: int
    wrong_label: int
    def __init__(self, label: _Optional[str] = ..., correct: _Optional[int] = ..., spurious: _Optional[int] = ..., missed: _Optional[int] = ..., boundary: _Optional[int] = ..., wrong_label: _Optional[int] = ...) -> None: ...

class CalibrationBin(_message.Message):
    __slots__ = ("to", "count", "mean_score", "precision")
    FROM_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    MEAN_SCORE_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    to: float
    count: int
    mean_score: float
    precision: float
    def __init__(self, to: _Optional[float] = ..., count: _Optional[int] = ..., mean_score: _Optional[float] = ..., precision: _Optional[float] = ..., **kwargs) -> None: ...

class WorstExample(_message.Message):
    __slots__ = ("text", "missed", "spurious", "loss")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    MISSED_FIELD_NUMBER: _ClassVar[int]
    SPURIOUS_FIELD_NUMBER: _ClassVar[int]
    LOSS_FIELD_NUMBER: _ClassVar[int]
    text: str
    missed: _containers.RepeatedScalarFieldContainer[str]
    spurious: _containers.RepeatedScalarFieldContainer[str]
    loss: float
    def __init__(self, text: _Optional[str] = ..., missed: _Optional[_Iterable[str]] = ..., spurious: _Optional[_Iterable[str]] = ..., loss: _Optional[float] = ...) -> None: ...

class SplitReport(_message.Message):
    __slots__ = ("evaluation", "confusion", "errors", "calibration", "calibration_error", "worst_examples")
    EVALUATION_FIELD_NUMBER: _ClassVar[int]
    CONFUSION_FIELD_NUMBER: _ClassVar[int]
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    CALIBRATION_FIELD_NUMBER: _ClassVar[int]
    CALIBRATION_ERROR_FIELD_NUMBER: _ClassVar[int]
    WORST_EXAMPLES_FIELD_NUMBER: _ClassVar[int]
    evaluation: _evaluation_pb2.SplitEvaluation
    confusion: _containers.RepeatedCompositeFieldContainer[ConfusionCell]
    errors: _containers.RepeatedCompositeFieldContainer[LabelErrors]
    calibration: _containers.RepeatedCompositeFieldContainer[CalibrationBin]
    calibration_error: float
    worst_examples: _containers.RepeatedCompositeFieldContainer[WorstExample]
    def __init__(self, evaluation: _Optional[_Union[_evaluation_pb2.SplitEvaluation, _Mapping]] = ..., confusion: _Optional[_Iterable[_Union[ConfusionCell, _Mapping]]] = ..., errors: _Optional[_Iterable[_Union[LabelErrors, _Mapping]]] = ..., calibration: _Optional[_Iterable[_Union[CalibrationBin, _Mapping]]] = ..., calibration_error: _Optional[float] = ..., worst_examples: _Optional[_Iterable[_Union[WorstExample, _Mapping]]] = ...) -> None: ...

class LearningCurvePoint(_message.Message):
    __slots__ = ("texts", "micro_f1")
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    MICRO_F1_FIELD_NUMBER: _ClassVar[int]
    texts: int
    micro_f1: float
    def __init__(self, texts: _Optional[int] = ..., micro_f1: _Optional[float] = ...) -> None: ...

class PrecisionCheck(_message.Message):
    __slots__ = ("precision", "fp32_evaluation", "max_label_loss", "min_spans", "trained")
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    FP32_EVALUATION_FIELD_NUMBER: _ClassVar[int]
    MAX_LABEL_LOSS_FIELD_NUMBER: _ClassVar[int]
    MIN_SPANS_FIELD_NUMBER: _ClassVar[int]
    TRAINED_FIELD_NUMBER: _ClassVar[int]
    precision: str
    fp32_evaluation: _evaluation_pb2.SplitEvaluation
    max_label_loss: float
    min_spans: int
    trained: bool
    def __init__(self, precision: _Optional[str] = ..., fp32_evaluation: _Optional[_Union[_evaluation_pb2.SplitEvaluation, _Mapping]] = ..., max_label_loss: _Optional[float] = ..., min_spans: _Optional[int] = ..., trained: _Optional[bool] = ...) -> None: ...

class TrainingReport(_message.Message):
    __slots__ = ("name", "splits", "learning_curve", "epochs", "precision_check")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SPLITS_FIELD_NUMBER: _ClassVar[int]
    LEARNING_CURVE_FIELD_NUMBER: _ClassVar[int]
    EPOCHS_FIELD_NUMBER: _ClassVar[int]
    PRECISION_CHECK_FIELD_NUMBER: _ClassVar[int]
    name: str
    splits: _containers.RepeatedCompositeFieldContainer[SplitReport]
    learning_curve: _containers.RepeatedCompositeFieldContainer[LearningCurvePoint]
    epochs: _containers.RepeatedCompositeFieldContainer[_training_job_pb2.EpochMetrics]
    precision_check: PrecisionCheck
    def __init__(self, name: _Optional[str] = ..., splits: _Optional[_Iterable[_Union[SplitReport, _Mapping]]] = ..., learning_curve: _Optional[_Iterable[_Union[LearningCurvePoint, _Mapping]]] = ..., epochs: _Optional[_Iterable[_Union[_training_job_pb2.EpochMetrics, _Mapping]]] = ..., precision_check: _Optional[_Union[PrecisionCheck, _Mapping]] = ...) -> None: ...
