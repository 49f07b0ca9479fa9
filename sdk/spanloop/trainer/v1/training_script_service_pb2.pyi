from spanloop.trainer.v1 import training_script_pb2 as _training_script_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateTrainingScriptRequest(_message.Message):
    __slots__ = ("parent", "training_script", "request_id")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    TRAINING_SCRIPT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    parent: str
    training_script: _training_script_pb2.TrainingScript
    request_id: str
    def __init__(self, parent: _Optional[str] = ..., training_script: _Optional[_Union[_training_script_pb2.TrainingScript, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class CreateTrainingScriptResponse(_message.Message):
    __slots__ = ("training_script",)
    TRAINING_SCRIPT_FIELD_NUMBER: _ClassVar[int]
    training_script: _training_script_pb2.TrainingScript
    def __init__(self, training_script: _Optional[_Union[_training_script_pb2.TrainingScript, _Mapping]] = ...) -> None: ...

class GetTrainingScriptRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetTrainingScriptResponse(_message.Message):
    __slots__ = ("training_script",)
    TRAINING_SCRIPT_FIELD_NUMBER: _ClassVar[int]
    training_script: _training_script_pb2.TrainingScript
    def __init__(self, training_script: _Optional[_Union[_training_script_pb2.TrainingScript, _Mapping]] = ...) -> None: ...

class ListTrainingScriptsRequest(_message.Message):
    __slots__ = ("parent", "page_size", "page_token")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    parent: str
    page_size: int
    page_token: str
    def __init__(self, parent: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListTrainingScriptsResponse(_message.Message):
    __slots__ = ("training_scripts", "next_page_token")
    TRAINING_SCRIPTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    training_scripts: _containers.RepeatedCompositeFieldContainer[_training_script_pb2.TrainingScript]
    next_page_token: str
    def __init__(self, training_scripts: _Optional[_Iterable[_Union[_training_script_pb2.TrainingScript, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DeleteTrainingScriptRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DeleteTrainingScriptResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
