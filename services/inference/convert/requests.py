"""What callers ask: messages to domain values; what cannot be asked is refused here."""

from __future__ import annotations

from services.common.errors import invalid_field
from services.common.offsets import OffsetEncoding
from services.inference.answers import Wish
from services.inference.handlers.exports import Layout
from spanloop.common.v1 import text_pb2
from spanloop.inference.v1 import export_pb2, predict_pb2
from spanloop.inference.v1 import inference_service_pb2 as pb

_ENCODINGS = {
    text_pb2.TEXT_OFFSET_ENCODING_UNSPECIFIED: OffsetEncoding.CODE_POINT,
    text_pb2.TEXT_OFFSET_ENCODING_CODE_POINT: OffsetEncoding.CODE_POINT,
    text_pb2.TEXT_OFFSET_ENCODING_UTF8: OffsetEncoding.UTF8,
    text_pb2.TEXT_OFFSET_ENCODING_UTF16: OffsetEncoding.UTF16,
}
_TOKENS = {
    predict_pb2.GRANULARITY_UNSPECIFIED: False,
    predict_pb2.GRANULARITY_SPAN: False,
    predict_pb2.GRANULARITY_TOKEN: True,
}
_LAYOUTS = {
    export_pb2.EXPORT_LAYOUT_UNSPECIFIED: Layout.ONNX,
    export_pb2.EXPORT_LAYOUT_ONNX: Layout.ONNX,
    export_pb2.EXPORT_LAYOUT_HUGGING_FACE: Layout.HUGGING_FACE,
}


def wish_of(request: pb.PredictRequest) -> Wish:
    """Return what a caller wants of each text.

    Raises:
        InvalidArgumentError: An enum field has a number that is no value of it.
    """
    tokens = _TOKENS.get(request.granularity)
    if tokens is None:
        raise invalid_field("granularity", "is not a value of Granularity.")
    encoding = _ENCODINGS.get(request.offset_encoding)
    if encoding is None:
        raise invalid_field("offset_encoding", "is not a value of TextOffsetEncoding.")
    return Wish(
        tokens=tokens,
        min_score=request.min_score,
        top_n=request.top_n,
        encoding=encoding,
        uncertainty=request.uncertainty,
    )


def layout_of(request: pb.ExportModelVersionRequest) -> Layout:
    """Return how an export is laid out.

    Raises:
        InvalidArgumentError: The number is no value of the enum.
    """
    layout = _LAYOUTS.get(request.layout)
    if layout is None:
        raise invalid_field("layout", "is not a value of ExportLayout.")
    return layout


def given_of(request: pb.PredictRequest) -> list[list[tuple[int, int]]]:
    """Return the spans whose status a caller wants, as they were sent."""
    return [[(span.start, span.end) for span in one.spans] for one in request.given_spans]
