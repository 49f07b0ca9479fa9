"""Calls of the annotation service that move files, predictions, snapshots and events."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from spanloop import types
from spanloop._async.transport import AsyncTransport
from spanloop._convert import annotation as convert
from spanloop._convert import basic, team
from spanloop._names import Named, name_of, project_name
from spanloop._transfer import Progress, Source, Upload, named, opened
from spanloop.annotation.v1 import annotation_service_pb2 as pb
from spanloop.errors import SpanloopError


class DataCalls:
    """Import, export, predictions, snapshots and the event stream."""

    _transport: AsyncTransport

    async def import_file(
        self,
        project: str | Named,
        source: Source,
        *,
        format: types.TaskFormat | str | None = None,
        split: types.Split | str | None = None,
        author: str = "",
        create_labels: bool = False,
        ignore_completions: bool = False,
        ignore_predictions: bool = False,
        as_drafts: bool = False,
        source_name: str = "",
        file_name: str = "",
        atomic: bool = False,
        validate_only: bool = False,
        tags: Iterable[str] = (),
        tag_scheme: types.TagScheme | str | None = None,
        repair_tags: bool = False,
        separator: str = "",
        text_column: str = "",
        label_column: str = "",
        choices_name: str = "",
        whole_file: bool = False,
        offset_encoding: types.OffsetEncoding | str | None = None,
        progress: Progress | None = None,
        timeout: float | None = None,
    ) -> types.ImportReport:
        """Import the tasks of one file, with their completions if it has them.

        The call is not repeated by itself, but repeating it is safe: texts that are there already
        are left as they are.

        Args:
            project: Id or name.
            source: Path of the file, or of a brat folder; its bytes; or an iterable of bytes.
            format: Recognised from the content when None.
            split: Given to all tasks that bring none of their own.
            author: Author of the imported completions, `import` when empty.
            create_labels: Create the labels that the project does not have yet; otherwise texts
                that use them are refused.
            ignore_completions: Import the texts only, as open tasks.
            ignore_predictions: Leave out the predictions in the file.
            as_drafts: Import completions as drafts.
            source_name: Prefix of external ids of texts without id; by default a hash of the file.
            file_name: Helps to recognise the format; by default that of the path.
            atomic: Store nothing when one text is refused, or the import fails.
            validate_only: Check everything and report, but store nothing.
            tags: Given to all tasks.
            tag_scheme: Of column files; recognised when None.
            repair_tags: Read inconsistent tags as what they most likely mean.
            separator: Of columns; recognised when empty.
            text_column: CSV: name or number of the column of texts.
            label_column: CSV: name or number of the column of classes.
            choices_name: Name of the choices that classes without a name go to.
            whole_file: Plain text: the file is one text.
            offset_encoding: Units of the offsets, where the format leaves them open.
            progress: Told the bytes sent; may be called from another thread.
            timeout: Seconds for the whole transfer.

        Raises:
            InvalidArgument: When there is nothing to import at all. Single lines that cannot be
                used are refused in the report instead.
            OSError: When the file cannot be read.
        """
        source, file_name = named(source, file_name)
        upload = Upload(source, progress)
        header = pb.ImportTasksRequest(
            header=pb.ImportTasksHeader(
                parent=project_name(project),
                format=convert.format_to(format),
                split=basic.split_to(split),
                author=author,
                offset_encoding=basic.encoding_to(offset_encoding),
                create_labels=create_labels,
                ignore_completions=ignore_completions,
                source_name=source_name,
                file_name=file_name,
                atomic=atomic,
                validate_only=validate_only,
                ignore_predictions=ignore_predictions,
                as_drafts=as_drafts,
                tags=tags,
                tag_scheme=convert.scheme_to(tag_scheme),
                repair_tags=repair_tags,
                separator=separator,
                text_column=text_column,
                label_column=label_column,
                choices_name=choices_name,
                whole_file=whole_file,
            )
        )

        def requests() -> Iterator[pb.ImportTasksRequest]:
            yield header
            for chunk in upload.chunks():
                yield pb.ImportTasksRequest(chunk=chunk)

        try:
            response = await self._transport.upload(
                self._transport.annotation.ImportTasks, requests(), header, timeout
            )
        except (SpanloopError, CancelledError):
            if upload.error is not None:
                raise upload.error from None
            raise
        return convert.import_report(response)

    async def export(
        self,
        project: str | Named,
        target: Path | str | BinaryIO,
        *,
        format: types.TaskFormat | str | None = None,
        status: types.TaskStatus | str | None = None,
        filter: types.TaskFilter | None = None,
        tag_scheme: types.TagScheme | str | None = None,
        separator: str = "",
        choices_name: str = "",
        offset_encoding: types.OffsetEncoding | str | None = None,
        progress: Progress | None = None,
        timeout: float | None = None,
    ) -> types.ExportReport:
        """Write the tasks of a project with their completions to a file.

        A path is replaced only once the export is complete. `status` and `filter` select tasks.
        """
        request = pb.ExportTasksRequest(
            parent=project_name(project),
            format=convert.format_to(format),
            status=convert.statuses_to([status or types.TaskStatus.UNSPECIFIED])[0],
            offset_encoding=basic.encoding_to(offset_encoding),
            filter=team.filter_to(filter),
            tag_scheme=convert.scheme_to(tag_scheme),
            separator=separator,
            choices_name=choices_name,
        )
        size = tasks = omitted = 0
        what: dict[str, int] = {}
        with opened(target) as file:
            async for message in self._transport.download(
                self._transport.annotation.ExportTasks, request, timeout
            ):
                file.write(message.chunk)
                size += len(message.chunk)
                tasks = message.exported_tasks or tasks
                omitted = message.omitted_spans or omitted
                what = dict(message.omitted) or what
                if progress is not None:
                    progress(size, None)
        return types.ExportReport(
            exported_tasks=tasks, omitted_spans=omitted, size_bytes=size, omitted=what
        )

    def list_predictions(
        self,
        parent: str | Named,
        *,
        generation: str = "",
        offset_encoding: types.OffsetEncoding | str | None = None,
        timeout: float | None = None,
    ) -> AsyncIterator[types.Prediction]:
        """Iterate over the predictions of a task (full name) or of a project (id or name)."""
        name = project_name(parent)
        return self._transport.pages(
            self._transport.annotation.ListPredictions,
            pb.ListPredictionsRequest(
                parent=name if "/tasks/" in name else f"{name}/tasks/-",
                generation=generation,
                offset_encoding=basic.encoding_to(offset_encoding),
            ),
            lambda page: map(convert.prediction, page.predictions),
            timeout,
        )

    async def write_predictions(
        self,
        project: str | Named,
        predictions: Iterable[types.Prediction],
        *,
        timeout: float | None = None,
    ) -> types.WriteReport:
        """Write what a model said about tasks; idempotent per task and generation."""
        request = pb.WritePredictionsRequest(
            parent=project_name(project), predictions=map(convert.prediction_to, predictions)
        )
        response = await self._transport.unary(
            self._transport.annotation.WritePredictions, request, timeout=timeout
        )
        return types.WriteReport(written=response.written, unchanged=response.unchanged)

    async def create_snapshot(
        self,
        project: str | Named,
        *,
        split_policy: types.SplitPolicy | None = None,
        selection: types.Selection | None = None,
        description: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> types.Snapshot:
        """Freeze the selected completions of a project; FailedPrecondition when there is none.

        Without a policy the given splits are used when every task has one, else 0.8 / 0.1 / 0.1.
        """
        request = pb.CreateSnapshotRequest(
            parent=project_name(project),
            split_policy=convert.policy_to(split_policy),
            selection=team.selection_to(selection),
            description=description,
            request_id=request_id or uuid4().hex,
        )
        response = await self._transport.unary(
            self._transport.annotation.CreateSnapshot, request, timeout=timeout
        )
        return convert.snapshot(response.snapshot)

    async def get_snapshot(
        self, snapshot: str | Named, *, timeout: float | None = None
    ) -> types.Snapshot:
        """Read a snapshot by its full name, without its examples."""
        response = await self._transport.unary(
            self._transport.annotation.GetSnapshot,
            pb.GetSnapshotRequest(name=name_of(snapshot)),
            timeout=timeout,
        )
        return convert.snapshot(response.snapshot)

    def list_snapshots(
        self, project: str | Named, *, timeout: float | None = None
    ) -> AsyncIterator[types.Snapshot]:
        """Iterate over the snapshots of a project; `timeout` bounds each page."""
        return self._transport.pages(
            self._transport.annotation.ListSnapshots,
            pb.ListSnapshotsRequest(parent=project_name(project)),
            lambda page: map(convert.snapshot, page.snapshots),
            timeout,
        )

    async def read_snapshot(
        self, snapshot: str | Named, *, timeout: float | None = None
    ) -> AsyncIterator[types.SnapshotExample]:
        """Iterate over the examples of a snapshot in their fixed order."""
        request = pb.ReadSnapshotRequest(name=name_of(snapshot))
        async for message in self._transport.download(
            self._transport.annotation.ReadSnapshot, request, timeout
        ):
            for example in message.examples:
                yield convert.example(example)

    async def watch_events(
        self, project: str | Named, *, resume_token: str = ""
    ) -> AsyncIterator[types.Event]:
        """Iterate over the changes of a project: past ones, then new ones as they happen.

        Never ends by itself; continues by itself when the service restarts. `resume_token` is that
        of the last event seen; empty starts with the first event.
        """
        request = pb.WatchEventsRequest(parent=project_name(project), resume_token=resume_token)
        async for message in self._transport.watch(self._transport.annotation.WatchEvents, request):
            match message.WhichOneof("payload"):
                case "event":
                    request.resume_token = message.event.resume_token
                    yield convert.event(message.event)
                case "heartbeat":
                    request.resume_token = message.heartbeat or request.resume_token
