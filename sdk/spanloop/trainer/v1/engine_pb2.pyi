from spanloop.common.v1 import evaluation_pb2 as _evaluation_pb2
from spanloop.trainer.v1 import training_job_pb2 as _training_job_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ParameterDescription(_message.Message):
    __slots__ = ("name", "engine_option", "type", "default_value", "minimum", "maximum", "description")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ENGINE_OPTION_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_VALUE_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    name: str
    engine_option: bool
    type: str
    default_value: str
    minimum: float
    maximum: float
    description: str
    def __init__(self, name: _Optional[str] = ..., engine_option: _Optional[bool] = ..., type: _Optional[str] = ..., default_value: _Optional[str] = ..., minimum: _Optional[float] = ..., maximum: _Optional[float] = ..., description: _Optional[str] = ...) -> None: ...

class EngineDescription(_message.Message):
    __slots__ = ("engine", "description", "model_types", "parameters", "default_resources", "transfer")
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    MODEL_TYPES_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_RESOURCES_FIELD_NUMBER: _ClassVar[int]
    TRANSFER_FIELD_NUMBER: _ClassVar[int]
    engine: str
    description: str
    model_types: _containers.RepeatedScalarFieldContainer[_evaluation_pb2.ModelType]
    parameters: _containers.RepeatedCompositeFieldContainer[ParameterDescription]
    default_resources: _training_job_pb2.TrainingResources
    transfer: bool
    def __init__(self, engine: _Optional[str] = ..., description: _Optional[str] = ..., model_types: _Optional[_Iterable[_Union[_evaluation_pb2.ModelType, str]]] = ..., parameters: _Optional[_Iterable[_Union[ParameterDescription, _Mapping]]] = ..., default_resources: _Optional[_Union[_training_job_pb2.TrainingResources, _Mapping]] = ..., transfer: _Optional[bool] = ...) -> None: ...
