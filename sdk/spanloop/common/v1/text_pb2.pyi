from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class TextOffsetEncoding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TEXT_OFFSET_ENCODING_UNSPECIFIED: _ClassVar[TextOffsetEncoding]
    TEXT_OFFSET_ENCODING_CODE_POINT: _ClassVar[TextOffsetEncoding]
    TEXT_OFFSET_ENCODING_UTF8: _ClassVar[TextOffsetEncoding]
    TEXT_OFFSET_ENCODING_UTF16: _ClassVar[TextOffsetEncoding]
TEXT_OFFSET_ENCODING_UNSPECIFIED: TextOffsetEncoding
TEXT_OFFSET_ENCODING_CODE_POINT: TextOffsetEncoding
TEXT_OFFSET_ENCODING_UTF8: TextOffsetEncoding
TEXT_OFFSET_ENCODING_UTF16: TextOffsetEncoding

class Span(_message.Message):
    __slots__ = ("start", "end", "label", "id")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    start: int
    end: int
    label: str
    id: str
    def __init__(self, start: _Optional[int] = ..., end: _Optional[int] = ..., label: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...

class ScoredSpan(_message.Message):
    __slots__ = ("start", "end", "label", "score")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    start: int
    end: int
    label: str
    score: float
    def __init__(self, start: _Optional[int] = ..., end: _Optional[int] = ..., label: _Optional[str] = ..., score: _Optional[float] = ...) -> None: ...
