import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TrainingScript(_message.Message):
    __slots__ = ("name", "display_name", "content", "digest", "limits", "create_time")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    display_name: str
    content: bytes
    digest: str
    limits: ScriptLimits
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., display_name: _Optional[str] = ..., content: _Optional[bytes] = ..., digest: _Optional[str] = ..., limits: _Optional[_Union[ScriptLimits, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ScriptLimits(_message.Message):
    __slots__ = ("wall_seconds", "memory_bytes", "file_bytes", "folder_bytes")
    WALL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    FILE_BYTES_FIELD_NUMBER: _ClassVar[int]
    FOLDER_BYTES_FIELD_NUMBER: _ClassVar[int]
    wall_seconds: int
    memory_bytes: int
    file_bytes: int
    folder_bytes: int
    def __init__(self, wall_seconds: _Optional[int] = ..., memory_bytes: _Optional[int] = ..., file_bytes: _Optional[int] = ..., folder_bytes: _Optional[int] = ...) -> None: ...
