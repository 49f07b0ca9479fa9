from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

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
    __slots__ = ("start", "end", "label", "id", "fragments", "assertion", "attributes")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    FRAGMENTS_FIELD_NUMBER: _ClassVar[int]
    ASSERTION_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    start: int
    end: int
    label: str
    id: str
    fragments: _containers.RepeatedCompositeFieldContainer[TextRange]
    assertion: str
    attributes: _containers.ScalarMap[str, str]
    def __init__(self, start: _Optional[int] = ..., end: _Optional[int] = ..., label: _Optional[str] = ..., id: _Optional[str] = ..., fragments: _Optional[_Iterable[_Union[TextRange, _Mapping]]] = ..., assertion: _Optional[str] = ..., attributes: _Optional[_Mapping[str, str]] = ...) -> None: ...

class TextRange(_message.Message):
    __slots__ = ("start", "end")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    start: int
    end: int
    def __init__(self, start: _Optional[int] = ..., end: _Optional[int] = ...) -> None: ...

class ScoredSpan(_message.Message):
    __slots__ = ("start", "end", "label", "score", "assertion", "assertion_score")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    ASSERTION_FIELD_NUMBER: _ClassVar[int]
    ASSERTION_SCORE_FIELD_NUMBER: _ClassVar[int]
    start: int
    end: int
    label: str
    score: float
    assertion: str
    assertion_score: float
    def __init__(self, start: _Optional[int] = ..., end: _Optional[int] = ..., label: _Optional[str] = ..., score: _Optional[float] = ..., assertion: _Optional[str] = ..., assertion_score: _Optional[float] = ...) -> None: ...
