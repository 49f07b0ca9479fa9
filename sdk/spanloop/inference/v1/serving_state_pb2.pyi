import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GenerationState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GENERATION_STATE_UNSPECIFIED: _ClassVar[GenerationState]
    GENERATION_STATE_LOADING: _ClassVar[GenerationState]
    GENERATION_STATE_READY: _ClassVar[GenerationState]
    GENERATION_STATE_DRAINING: _ClassVar[GenerationState]
    GENERATION_STATE_ERROR: _ClassVar[GenerationState]
GENERATION_STATE_UNSPECIFIED: GenerationState
GENERATION_STATE_LOADING: GenerationState
GENERATION_STATE_READY: GenerationState
GENERATION_STATE_DRAINING: GenerationState
GENERATION_STATE_ERROR: GenerationState

class LoadedGeneration(_message.Message):
    __slots__ = ("name", "state", "deployment_revision", "model_versions", "trunk_digest", "resident_bytes", "active_requests", "error_message", "load_seconds", "ready_time", "choice_model_versions", "assertion_model_version")
    class ModelVersionsEntry(_message.Message):
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
    STATE_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_REVISION_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    TRUNK_DIGEST_FIELD_NUMBER: _ClassVar[int]
    RESIDENT_BYTES_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    ERROR_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    LOAD_SECONDS_FIELD_NUMBER: _ClassVar[int]
    READY_TIME_FIELD_NUMBER: _ClassVar[int]
    CHOICE_MODEL_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    ASSERTION_MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    state: GenerationState
    deployment_revision: int
    model_versions: _containers.ScalarMap[str, str]
    trunk_digest: str
    resident_bytes: int
    active_requests: int
    error_message: str
    load_seconds: float
    ready_time: _timestamp_pb2.Timestamp
    choice_model_versions: _containers.ScalarMap[str, str]
    assertion_model_version: str
    def __init__(self, name: _Optional[str] = ..., state: _Optional[_Union[GenerationState, str]] = ..., deployment_revision: _Optional[int] = ..., model_versions: _Optional[_Mapping[str, str]] = ..., trunk_digest: _Optional[str] = ..., resident_bytes: _Optional[int] = ..., active_requests: _Optional[int] = ..., error_message: _Optional[str] = ..., load_seconds: _Optional[float] = ..., ready_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., choice_model_versions: _Optional[_Mapping[str, str]] = ..., assertion_model_version: _Optional[str] = ...) -> None: ...

class TriedCandidate(_message.Message):
    __slots__ = ("trial", "generation", "paused")
    TRIAL_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    trial: str
    generation: LoadedGeneration
    paused: bool
    def __init__(self, trial: _Optional[str] = ..., generation: _Optional[_Union[LoadedGeneration, _Mapping]] = ..., paused: _Optional[bool] = ...) -> None: ...

class ServingState(_message.Message):
    __slots__ = ("generations", "execution_provider", "registry_connected", "candidates")
    GENERATIONS_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_PROVIDER_FIELD_NUMBER: _ClassVar[int]
    REGISTRY_CONNECTED_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    generations: _containers.RepeatedCompositeFieldContainer[LoadedGeneration]
    execution_provider: str
    registry_connected: bool
    candidates: _containers.RepeatedCompositeFieldContainer[TriedCandidate]
    def __init__(self, generations: _Optional[_Iterable[_Union[LoadedGeneration, _Mapping]]] = ..., execution_provider: _Optional[str] = ..., registry_connected: _Optional[bool] = ..., candidates: _Optional[_Iterable[_Union[TriedCandidate, _Mapping]]] = ...) -> None: ...
