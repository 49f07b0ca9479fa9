"""The messages of importing and exporting files."""

from __future__ import annotations

from collections.abc import AsyncIterator

from services.annotation.convert.basic import known, optional_encoding_of, split_of
from services.annotation.formats.records import TagScheme, TaskFormat, WriteOptions
from services.annotation.names import project_of
from services.annotation.transfer.orders import ImportOrder, ImportReport
from services.common.errors import InvalidArgumentError, Reason, invalid_field
from spanloop.annotation.v1 import annotation_service_pb2 as service

_MAX_CHUNK = 1024 * 1024
_FORMATS: dict[int, TaskFormat] = {
    service.TaskFormat.Value(f"TASK_FORMAT_{one.value}"): one for one in TaskFormat
}
_SCHEMES = {
    service.TAG_SCHEME_UNSPECIFIED: TagScheme.AUTO,
    service.TAG_SCHEME_IOB1: TagScheme.IOB1,
    service.TAG_SCHEME_IOB2: TagScheme.IOB2,
    service.TAG_SCHEME_IOBES: TagScheme.IOBES,
    service.TAG_SCHEME_IO: TagScheme.IO,
}


def format_of(value: service.TaskFormat, field: str) -> TaskFormat | None:
    """Read a format; None when it is left open."""
    if value == service.TASK_FORMAT_UNSPECIFIED:
        return None
    return known(_FORMATS, value, field, "TaskFormat")


def export_format_of(value: service.TaskFormat) -> TaskFormat:
    """Read the format of an export."""
    return format_of(value, "format") or TaskFormat.JSONL


def write_options(
    request: service.ExportTasksRequest | service.ExportSnapshotRequest,
) -> WriteOptions:
    """Read how a file is to be written."""
    return WriteOptions(
        encoding=optional_encoding_of(request.offset_encoding),
        scheme=known(_SCHEMES, request.tag_scheme, "tag_scheme", "TagScheme"),
        separator=request.separator,
        choices_name=request.choices_name or WriteOptions.choices_name,
    )


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
        encoding=optional_encoding_of(header.offset_encoding, "header.offset_encoding"),
        create_labels=header.create_labels,
        ignore_completions=header.ignore_completions,
        ignore_predictions=header.ignore_predictions,
        as_drafts=header.as_drafts,
        source_name=header.source_name,
        file_name=header.file_name,
        atomic=header.atomic,
        validate_only=header.validate_only,
        tags=tuple(header.tags),
        scheme=known(_SCHEMES, header.tag_scheme, "header.tag_scheme", "TagScheme"),
        repair=header.repair_tags,
        separator=header.separator,
        text_column=header.text_column,
        label_column=header.label_column,
        choices_name=header.choices_name,
        whole_file=header.whole_file,
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
            else f"TASK_FORMAT_{report.format.value}"
        ),
        warnings=[
            service.ImportNotice(line=one.line, message=one.message) for one in report.warnings
        ],
        imported_predictions=report.predictions,
        imported_relations=report.relations,
        imported_regions=report.regions,
        imported_choices=report.choices,
        warning_count=report.warned,
    )
