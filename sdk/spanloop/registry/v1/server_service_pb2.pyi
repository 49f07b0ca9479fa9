import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from spanloop.registry.v1 import server_pb2 as _server_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReportServerRequest(_message.Message):
    __slots__ = ("server", "time_to_live")
    SERVER_FIELD_NUMBER: _ClassVar[int]
    TIME_TO_LIVE_FIELD_NUMBER: _ClassVar[int]
    server: _server_pb2.InferenceServer
    time_to_live: _duration_pb2.Duration
    def __init__(self, server: _Optional[_Union[_server_pb2.InferenceServer, _Mapping]] = ..., time_to_live: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ReportServerResponse(_message.Message):
    __slots__ = ("server",)
    SERVER_FIELD_NUMBER: _ClassVar[int]
    server: _server_pb2.InferenceServer
    def __init__(self, server: _Optional[_Union[_server_pb2.InferenceServer, _Mapping]] = ...) -> None: ...

class RemoveServerRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class RemoveServerResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListServersRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListServersResponse(_message.Message):
    __slots__ = ("servers", "next_page_token")
    SERVERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    servers: _containers.RepeatedCompositeFieldContainer[_server_pb2.InferenceServer]
    next_page_token: str
    def __init__(self, servers: _Optional[_Iterable[_Union[_server_pb2.InferenceServer, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ChooseTrunkPrecisionRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ChooseTrunkPrecisionResponse(_message.Message):
    __slots__ = ("precision", "reason", "cpu_servers", "cuda_servers")
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    CPU_SERVERS_FIELD_NUMBER: _ClassVar[int]
    CUDA_SERVERS_FIELD_NUMBER: _ClassVar[int]
    precision: str
    reason: str
    cpu_servers: int
    cuda_servers: int
    def __init__(self, precision: _Optional[str] = ..., reason: _Optional[str] = ..., cpu_servers: _Optional[int] = ..., cuda_servers: _Optional[int] = ...) -> None: ...
