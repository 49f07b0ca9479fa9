import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AuditAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AUDIT_ACTION_UNSPECIFIED: _ClassVar[AuditAction]
    AUDIT_ACTION_REGISTER_TRUNK: _ClassVar[AuditAction]
    AUDIT_ACTION_REGISTER_ADAPTER: _ClassVar[AuditAction]
    AUDIT_ACTION_CREATE_MODEL_VERSION: _ClassVar[AuditAction]
    AUDIT_ACTION_VERIFY_MODEL_VERSION: _ClassVar[AuditAction]
    AUDIT_ACTION_RETIRE_MODEL_VERSION: _ClassVar[AuditAction]
    AUDIT_ACTION_PURGE_MODEL_VERSION: _ClassVar[AuditAction]
    AUDIT_ACTION_DEPLOY: _ClassVar[AuditAction]
    AUDIT_ACTION_ROLLBACK: _ClassVar[AuditAction]
    AUDIT_ACTION_PIN_LABEL: _ClassVar[AuditAction]
    AUDIT_ACTION_UNPIN_LABEL: _ClassVar[AuditAction]
    AUDIT_ACTION_SET_MODEL_ALIAS: _ClassVar[AuditAction]
    AUDIT_ACTION_DELETE_MODEL_ALIAS: _ClassVar[AuditAction]
    AUDIT_ACTION_UPDATE_REGISTRY_POLICY: _ClassVar[AuditAction]
    AUDIT_ACTION_RUN_RETENTION: _ClassVar[AuditAction]
    AUDIT_ACTION_START_TRIAL: _ClassVar[AuditAction]
    AUDIT_ACTION_END_TRIAL: _ClassVar[AuditAction]
    AUDIT_ACTION_ROLL_BACK_TRIAL: _ClassVar[AuditAction]
AUDIT_ACTION_UNSPECIFIED: AuditAction
AUDIT_ACTION_REGISTER_TRUNK: AuditAction
AUDIT_ACTION_REGISTER_ADAPTER: AuditAction
AUDIT_ACTION_CREATE_MODEL_VERSION: AuditAction
AUDIT_ACTION_VERIFY_MODEL_VERSION: AuditAction
AUDIT_ACTION_RETIRE_MODEL_VERSION: AuditAction
AUDIT_ACTION_PURGE_MODEL_VERSION: AuditAction
AUDIT_ACTION_DEPLOY: AuditAction
AUDIT_ACTION_ROLLBACK: AuditAction
AUDIT_ACTION_PIN_LABEL: AuditAction
AUDIT_ACTION_UNPIN_LABEL: AuditAction
AUDIT_ACTION_SET_MODEL_ALIAS: AuditAction
AUDIT_ACTION_DELETE_MODEL_ALIAS: AuditAction
AUDIT_ACTION_UPDATE_REGISTRY_POLICY: AuditAction
AUDIT_ACTION_RUN_RETENTION: AuditAction
AUDIT_ACTION_START_TRIAL: AuditAction
AUDIT_ACTION_END_TRIAL: AuditAction
AUDIT_ACTION_ROLL_BACK_TRIAL: AuditAction

class AuditEvent(_message.Message):
    __slots__ = ("time", "actor", "action", "resource", "model_version", "details")
    class DetailsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TIME_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    time: _timestamp_pb2.Timestamp
    actor: str
    action: AuditAction
    resource: str
    model_version: str
    details: _containers.ScalarMap[str, str]
    def __init__(self, time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., actor: _Optional[str] = ..., action: _Optional[_Union[AuditAction, str]] = ..., resource: _Optional[str] = ..., model_version: _Optional[str] = ..., details: _Optional[_Mapping[str, str]] = ...) -> None: ...
