from spanloop.common.v1 import evaluation_pb2 as _evaluation_pb2
from spanloop.trainer.v1 import engine_pb2 as _engine_pb2
from spanloop.trainer.v1 import resources_pb2 as _resources_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DescribeParametersRequest(_message.Message):
    __slots__ = ("engine", "model_type")
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    MODEL_TYPE_FIELD_NUMBER: _ClassVar[int]
    engine: str
    model_type: _evaluation_pb2.ModelType
    def __init__(self, engine: _Optional[str] = ..., model_type: _Optional[_Union[_evaluation_pb2.ModelType, str]] = ...) -> None: ...

class DescribeParametersResponse(_message.Message):
    __slots__ = ("engines",)
    ENGINES_FIELD_NUMBER: _ClassVar[int]
    engines: _containers.RepeatedCompositeFieldContainer[_engine_pb2.EngineDescription]
    def __init__(self, engines: _Optional[_Iterable[_Union[_engine_pb2.EngineDescription, _Mapping]]] = ...) -> None: ...

class ListResourcesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListResourcesResponse(_message.Message):
    __slots__ = ("workers", "waiting_jobs")
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    WAITING_JOBS_FIELD_NUMBER: _ClassVar[int]
    workers: _containers.RepeatedCompositeFieldContainer[_resources_pb2.Worker]
    waiting_jobs: int
    def __init__(self, workers: _Optional[_Iterable[_Union[_resources_pb2.Worker, _Mapping]]] = ..., waiting_jobs: _Optional[int] = ...) -> None: ...
