import datetime

from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from spanloop.registry.v1 import audit_pb2 as _audit_pb2
from spanloop.registry.v1 import lineage_pb2 as _lineage_pb2
from spanloop.registry.v1 import registry_policy_pb2 as _registry_policy_pb2
from spanloop.registry.v1 import retention_pb2 as _retention_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetRegistryPolicyRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetRegistryPolicyResponse(_message.Message):
    __slots__ = ("registry_policy",)
    REGISTRY_POLICY_FIELD_NUMBER: _ClassVar[int]
    registry_policy: _registry_policy_pb2.RegistryPolicy
    def __init__(self, registry_policy: _Optional[_Union[_registry_policy_pb2.RegistryPolicy, _Mapping]] = ...) -> None: ...

class UpdateRegistryPolicyRequest(_message.Message):
    __slots__ = ("registry_policy", "update_mask")
    REGISTRY_POLICY_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    registry_policy: _registry_policy_pb2.RegistryPolicy
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, registry_policy: _Optional[_Union[_registry_policy_pb2.RegistryPolicy, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class UpdateRegistryPolicyResponse(_message.Message):
    __slots__ = ("registry_policy",)
    REGISTRY_POLICY_FIELD_NUMBER: _ClassVar[int]
    registry_policy: _registry_policy_pb2.RegistryPolicy
    def __init__(self, registry_policy: _Optional[_Union[_registry_policy_pb2.RegistryPolicy, _Mapping]] = ...) -> None: ...

class RunRetentionRequest(_message.Message):
    __slots__ = ("parent", "apply")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    APPLY_FIELD_NUMBER: _ClassVar[int]
    parent: str
    apply: bool
    def __init__(self, parent: _Optional[str] = ..., apply: _Optional[bool] = ...) -> None: ...

class RunRetentionResponse(_message.Message):
    __slots__ = ("items", "summary")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[_retention_pb2.RetentionItem]
    summary: _retention_pb2.RetentionSummary
    def __init__(self, items: _Optional[_Iterable[_Union[_retention_pb2.RetentionItem, _Mapping]]] = ..., summary: _Optional[_Union[_retention_pb2.RetentionSummary, _Mapping]] = ...) -> None: ...

class GetModelCardRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetModelCardResponse(_message.Message):
    __slots__ = ("markdown",)
    MARKDOWN_FIELD_NUMBER: _ClassVar[int]
    markdown: str
    def __init__(self, markdown: _Optional[str] = ...) -> None: ...

class GetLineageRequest(_message.Message):
    __slots__ = ("name", "label")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    name: str
    label: str
    def __init__(self, name: _Optional[str] = ..., label: _Optional[str] = ...) -> None: ...

class GetLineageResponse(_message.Message):
    __slots__ = ("steps",)
    STEPS_FIELD_NUMBER: _ClassVar[int]
    steps: _containers.RepeatedCompositeFieldContainer[_lineage_pb2.LineageStep]
    def __init__(self, steps: _Optional[_Iterable[_Union[_lineage_pb2.LineageStep, _Mapping]]] = ...) -> None: ...

class ListAuditEventsRequest(_message.Message):
    __slots__ = ("parent", "page_size", "page_token", "resource", "actions", "start_time", "end_time")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    parent: str
    page_size: int
    page_token: str
    resource: str
    actions: _containers.RepeatedScalarFieldContainer[_audit_pb2.AuditAction]
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    def __init__(self, parent: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., resource: _Optional[str] = ..., actions: _Optional[_Iterable[_Union[_audit_pb2.AuditAction, str]]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListAuditEventsResponse(_message.Message):
    __slots__ = ("audit_events", "next_page_token")
    AUDIT_EVENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    audit_events: _containers.RepeatedCompositeFieldContainer[_audit_pb2.AuditEvent]
    next_page_token: str
    def __init__(self, audit_events: _Optional[_Iterable[_Union[_audit_pb2.AuditEvent, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
