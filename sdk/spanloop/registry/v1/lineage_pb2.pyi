import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from spanloop.registry.v1 import model_version_pb2 as _model_version_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LineageStep(_message.Message):
    __slots__ = ("label", "adapter", "model_version", "origin", "lineage", "create_time")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    LINEAGE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    label: str
    adapter: str
    model_version: str
    origin: str
    lineage: _model_version_pb2.Lineage
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, label: _Optional[str] = ..., adapter: _Optional[str] = ..., model_version: _Optional[str] = ..., origin: _Optional[str] = ..., lineage: _Optional[_Union[_model_version_pb2.Lineage, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
