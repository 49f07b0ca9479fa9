from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ConfigModelType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONFIG_MODEL_TYPE_UNSPECIFIED: _ClassVar[ConfigModelType]
    CONFIG_MODEL_TYPE_NER: _ClassVar[ConfigModelType]
    CONFIG_MODEL_TYPE_ASSERTION: _ClassVar[ConfigModelType]
    CONFIG_MODEL_TYPE_CLASSIFICATION: _ClassVar[ConfigModelType]
CONFIG_MODEL_TYPE_UNSPECIFIED: ConfigModelType
CONFIG_MODEL_TYPE_NER: ConfigModelType
CONFIG_MODEL_TYPE_ASSERTION: ConfigModelType
CONFIG_MODEL_TYPE_CLASSIFICATION: ConfigModelType

class KnownModel(_message.Message):
    __slots__ = ("name", "type", "labels")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: ConfigModelType
    labels: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., type: _Optional[_Union[ConfigModelType, str]] = ..., labels: _Optional[_Iterable[str]] = ...) -> None: ...

class ValidateLabelingConfigRequest(_message.Message):
    __slots__ = ("parent", "labeling_config", "models", "check_models")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    LABELING_CONFIG_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    CHECK_MODELS_FIELD_NUMBER: _ClassVar[int]
    parent: str
    labeling_config: str
    models: _containers.RepeatedCompositeFieldContainer[KnownModel]
    check_models: bool
    def __init__(self, parent: _Optional[str] = ..., labeling_config: _Optional[str] = ..., models: _Optional[_Iterable[_Union[KnownModel, _Mapping]]] = ..., check_models: _Optional[bool] = ...) -> None: ...

class LabelingProblem(_message.Message):
    __slots__ = ("line", "column", "severity", "code", "message")
    class Severity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        SEVERITY_UNSPECIFIED: _ClassVar[LabelingProblem.Severity]
        SEVERITY_ERROR: _ClassVar[LabelingProblem.Severity]
        SEVERITY_WARNING: _ClassVar[LabelingProblem.Severity]
    SEVERITY_UNSPECIFIED: LabelingProblem.Severity
    SEVERITY_ERROR: LabelingProblem.Severity
    SEVERITY_WARNING: LabelingProblem.Severity
    LINE_FIELD_NUMBER: _ClassVar[int]
    COLUMN_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    line: int
    column: int
    severity: LabelingProblem.Severity
    code: str
    message: str
    def __init__(self, line: _Optional[int] = ..., column: _Optional[int] = ..., severity: _Optional[_Union[LabelingProblem.Severity, str]] = ..., code: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class ValidateLabelingConfigResponse(_message.Message):
    __slots__ = ("problems", "labels", "assertion_labels", "choices", "trained_choices", "choice_controls")
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    ASSERTION_LABELS_FIELD_NUMBER: _ClassVar[int]
    CHOICES_FIELD_NUMBER: _ClassVar[int]
    TRAINED_CHOICES_FIELD_NUMBER: _ClassVar[int]
    CHOICE_CONTROLS_FIELD_NUMBER: _ClassVar[int]
    problems: _containers.RepeatedCompositeFieldContainer[LabelingProblem]
    labels: _containers.RepeatedScalarFieldContainer[str]
    assertion_labels: _containers.RepeatedScalarFieldContainer[str]
    choices: _containers.RepeatedScalarFieldContainer[str]
    trained_choices: str
    choice_controls: _containers.RepeatedCompositeFieldContainer[ConfigChoices]
    def __init__(self, problems: _Optional[_Iterable[_Union[LabelingProblem, _Mapping]]] = ..., labels: _Optional[_Iterable[str]] = ..., assertion_labels: _Optional[_Iterable[str]] = ..., choices: _Optional[_Iterable[str]] = ..., trained_choices: _Optional[str] = ..., choice_controls: _Optional[_Iterable[_Union[ConfigChoices, _Mapping]]] = ...) -> None: ...

class ConfigChoices(_message.Message):
    __slots__ = ("name", "multiple", "values", "train")
    NAME_FIELD_NUMBER: _ClassVar[int]
    MULTIPLE_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    TRAIN_FIELD_NUMBER: _ClassVar[int]
    name: str
    multiple: bool
    values: _containers.RepeatedScalarFieldContainer[str]
    train: bool
    def __init__(self, name: _Optional[str] = ..., multiple: _Optional[bool] = ..., values: _Optional[_Iterable[str]] = ..., train: _Optional[bool] = ...) -> None: ...

class AssignModelsRequest(_message.Message):
    __slots__ = ("parent", "label_models", "choices_models")
    class LabelModelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class ChoicesModelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PARENT_FIELD_NUMBER: _ClassVar[int]
    LABEL_MODELS_FIELD_NUMBER: _ClassVar[int]
    CHOICES_MODELS_FIELD_NUMBER: _ClassVar[int]
    parent: str
    label_models: _containers.ScalarMap[str, str]
    choices_models: _containers.ScalarMap[str, str]
    def __init__(self, parent: _Optional[str] = ..., label_models: _Optional[_Mapping[str, str]] = ..., choices_models: _Optional[_Mapping[str, str]] = ...) -> None: ...

class AssignModelsResponse(_message.Message):
    __slots__ = ("changed", "labeling_config")
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    LABELING_CONFIG_FIELD_NUMBER: _ClassVar[int]
    changed: bool
    labeling_config: str
    def __init__(self, changed: _Optional[bool] = ..., labeling_config: _Optional[str] = ...) -> None: ...
