from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class ExportLayout(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXPORT_LAYOUT_UNSPECIFIED: _ClassVar[ExportLayout]
    EXPORT_LAYOUT_ONNX: _ClassVar[ExportLayout]
    EXPORT_LAYOUT_HUGGING_FACE: _ClassVar[ExportLayout]
EXPORT_LAYOUT_UNSPECIFIED: ExportLayout
EXPORT_LAYOUT_ONNX: ExportLayout
EXPORT_LAYOUT_HUGGING_FACE: ExportLayout
