"""The messages of importing and exporting files, to domain values and back."""

from __future__ import annotations

from collections.abc import AsyncIterator

from services.annotation.convert import encoding_of, split_of
from services.annotation.domain import TaskFormat
from services.annotation.handlers.importing import ImportOrder, ImportReport
from services.annotation.names import project_of
from services.common.errors import InvalidArgumentError, Reason, invalid_field
from spanloop.annotation.v1 import annotation_service_pb2 as service

_MAX_CHUNK = 1024 * 1024
_FORMATS = {
    service.TASK_FORMAT_JSONL: TaskFormat.JSONL,
    service.TASK_FORMAT_CONLL: TaskFormat.CONLL,
}
_FORMATS_BACK = {one: number for number, one in _FORMATS.items()}


def format_of(value: service.TaskFormat, field: str) -> TaskFormat | None:
    """Read a format; None when it is left open."""
    if value == service.TASK_FORMAT_UNSPECIFIED:
        return None
    if value not in _FORMATS:
        raise invalid_field(field, "is not a known TaskFormat.")
    return _FORMATS[value]


def export_format_of(value: service.TaskFormat) -> TaskFormat:
    """Read the format of an export."""
    return format_of(value, "format") or TaskFormat.JSONL


async def import_of(
    requests: AsyncIterator[service.ImportTasksRequest],
) -> tuple[ImportOrder, AsyncIterator[bytes]]:
    """Read the header of an import; the pieces of the file follow as they arrive."""
    first = await anext(requests, None)
    if first is None or first.WhichOneof("payload") != "header":
        raise invalid_field("header", "must be the first message of the stream.")
    header = first.header
    order = ImportOrder(
        project=project_of(header.parent, "header.parent"),
        format=format_of(header.format, "header.format"),
        split=split_of(header.split, "header.split"),
        author=header.author,
        encoding=encoding_of(header.offset_encoding, "header.offset_encoding"),
        create_labels=header.create_labels,
        ignore_completions=header.ignore_completions,
        source_name=header.source_name,
    )
    return order, _pieces(requests)


async def _pieces(requests: AsyncIterator[service.ImportTasksRequest]) -> AsyncIterator[bytes]:
    async for request in requests:
        if request.WhichOneof("payload") != "chunk":
            raise invalid_field("chunk", "every message behind the header must carry bytes.")
        if len(request.chunk) > _MAX_CHUNK:
            raise InvalidArgumentError(
                Reason.REQUEST_TOO_LARGE,
                f"chunk: at most {_MAX_CHUNK} bytes; send the file in smaller pieces.",
                metadata={"field": "chunk", "limit": str(_MAX_CHUNK)},
            )
        yield request.chunk


def report_message(report: ImportReport) -> service.ImportTasksResponse:
    """Return the report of an import."""
    return service.ImportTasksResponse(
        imported_tasks=report.tasks,
        imported_completions=report.completions,
        imported_spans=report.spans,
        unchanged_tasks=report.unchanged,
        refused_tasks=report.refused,
        errors=[
            service.ImportError(
                line=one.line, reason=one.reason.value, field=one.field, message=one.message
            )
            for one in report.errors
        ],
        created_labels=report.created_labels,
        format=(
            service.TASK_FORMAT_UNSPECIFIED
            if report.format is None
            else _FORMATS_BACK[report.format]
        ),
    )
