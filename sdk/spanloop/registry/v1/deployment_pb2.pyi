import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from spanloop.common.v1 import evaluation_pb2 as _evaluation_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DeploymentAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEPLOYMENT_ACTION_UNSPECIFIED: _ClassVar[DeploymentAction]
    DEPLOYMENT_ACTION_DEPLOY: _ClassVar[DeploymentAction]
    DEPLOYMENT_ACTION_ROLLBACK: _ClassVar[DeploymentAction]
    DEPLOYMENT_ACTION_PIN_LABEL: _ClassVar[DeploymentAction]
    DEPLOYMENT_ACTION_UNPIN_LABEL: _ClassVar[DeploymentAction]
DEPLOYMENT_ACTION_UNSPECIFIED: DeploymentAction
DEPLOYMENT_ACTION_DEPLOY: DeploymentAction
DEPLOYMENT_ACTION_ROLLBACK: DeploymentAction
DEPLOYMENT_ACTION_PIN_LABEL: DeploymentAction
DEPLOYMENT_ACTION_UNPIN_LABEL: DeploymentAction

class DeployedModel(_message.Message):
    __slots__ = ("model_version", "trunk_digest", "adapters", "model_type", "control")
    class AdaptersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    TRUNK_DIGEST_FIELD_NUMBER: _ClassVar[int]
    ADAPTERS_FIELD_NUMBER: _ClassVar[int]
    MODEL_TYPE_FIELD_NUMBER: _ClassVar[int]
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    model_version: str
    trunk_digest: str
    adapters: _containers.ScalarMap[str, str]
    model_type: _evaluation_pb2.ModelType
    control: str
    def __init__(self, model_version: _Optional[str] = ..., trunk_digest: _Optional[str] = ..., adapters: _Optional[_Mapping[str, str]] = ..., model_type: _Optional[_Union[_evaluation_pb2.ModelType, str]] = ..., control: _Optional[str] = ...) -> None: ...

class LabelPin(_message.Message):
    __slots__ = ("label", "model_version", "trunk_digest", "adapter")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    TRUNK_DIGEST_FIELD_NUMBER: _ClassVar[int]
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    label: str
    model_version: str
    trunk_digest: str
    adapter: str
    def __init__(self, label: _Optional[str] = ..., model_version: _Optional[str] = ..., trunk_digest: _Optional[str] = ..., adapter: _Optional[str] = ...) -> None: ...

class Deployment(_message.Message):
    __slots__ = ("name", "revision", "models", "action", "restored_revision", "etag", "create_time", "pins", "actor")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    RESTORED_REVISION_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    PINS_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    name: str
    revision: int
    models: _containers.RepeatedCompositeFieldContainer[DeployedModel]
    action: DeploymentAction
    restored_revision: int
    etag: str
    create_time: _timestamp_pb2.Timestamp
    pins: _containers.RepeatedCompositeFieldContainer[LabelPin]
    actor: str
    def __init__(self, name: _Optional[str] = ..., revision: _Optional[int] = ..., models: _Optional[_Iterable[_Union[DeployedModel, _Mapping]]] = ..., action: _Optional[_Union[DeploymentAction, str]] = ..., restored_revision: _Optional[int] = ..., etag: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., pins: _Optional[_Iterable[_Union[LabelPin, _Mapping]]] = ..., actor: _Optional[str] = ...) -> None: ...
