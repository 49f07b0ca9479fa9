from spanloop.common.v1 import evaluation_pb2 as _evaluation_pb2
from spanloop.trainer.v1 import training_job_pb2 as _training_job_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateTrainingGroupRequest(_message.Message):
    __slots__ = ("parent", "template", "model_types", "controls", "request_id")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    MODEL_TYPES_FIELD_NUMBER: _ClassVar[int]
    CONTROLS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    parent: str
    template: _training_job_pb2.TrainingJob
    model_types: _containers.RepeatedScalarFieldContainer[_evaluation_pb2.ModelType]
    controls: _containers.RepeatedScalarFieldContainer[str]
    request_id: str
    def __init__(self, parent: _Optional[str] = ..., template: _Optional[_Union[_training_job_pb2.TrainingJob, _Mapping]] = ..., model_types: _Optional[_Iterable[_Union[_evaluation_pb2.ModelType, str]]] = ..., controls: _Optional[_Iterable[str]] = ..., request_id: _Optional[str] = ...) -> None: ...

class CreateTrainingGroupResponse(_message.Message):
    __slots__ = ("training_group", "training_jobs")
    TRAINING_GROUP_FIELD_NUMBER: _ClassVar[int]
    TRAINING_JOBS_FIELD_NUMBER: _ClassVar[int]
    training_group: _training_job_pb2.TrainingGroup
    training_jobs: _containers.RepeatedCompositeFieldContainer[_training_job_pb2.TrainingJob]
    def __init__(self, training_group: _Optional[_Union[_training_job_pb2.TrainingGroup, _Mapping]] = ..., training_jobs: _Optional[_Iterable[_Union[_training_job_pb2.TrainingJob, _Mapping]]] = ...) -> None: ...

class GetTrainingGroupRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetTrainingGroupResponse(_message.Message):
    __slots__ = ("training_group", "training_jobs")
    TRAINING_GROUP_FIELD_NUMBER: _ClassVar[int]
    TRAINING_JOBS_FIELD_NUMBER: _ClassVar[int]
    training_group: _training_job_pb2.TrainingGroup
    training_jobs: _containers.RepeatedCompositeFieldContainer[_training_job_pb2.TrainingJob]
    def __init__(self, training_group: _Optional[_Union[_training_job_pb2.TrainingGroup, _Mapping]] = ..., training_jobs: _Optional[_Iterable[_Union[_training_job_pb2.TrainingJob, _Mapping]]] = ...) -> None: ...
