"""AnnotationService: converts messages and delegates to the handlers."""

# ruff: noqa: ARG002, D102, N802 - names and signatures are those of the generated base class

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from services.annotation.completion_state import Move
from services.annotation.convert import basic, catalog, contents, files, selections
from services.annotation.handlers.catalog import Catalog
from services.annotation.handlers.completions import Annotated, Completions, NewCompletion
from services.annotation.handlers.events import Events
from services.annotation.handlers.predictions import Predictions
from services.annotation.handlers.snapshots import Snapshots
from services.annotation.handlers.tasks import Tasks
from services.annotation.labels.counting import count_labels
from services.annotation.members.gate import Gate
from services.annotation.members.handler import Members
from services.annotation.names import (
    completion_of,
    label_of,
    predictions_parent_of,
    project_of,
    snapshot_of,
    task_of,
)
from services.annotation.principal import current_user
from services.annotation.selection.diff import DiffSummary, diff
from services.annotation.selection.handler import Selector
from services.annotation.selection.scan import TaskScan
from services.annotation.transfer.exporting import Exporter
from services.annotation.transfer.importing import Importer
from services.common.errors import invalid_field
from services.common.offsets import OffsetEncoding
from spanloop.annotation.v1 import annotation_service_pb2 as pb
from spanloop.annotation.v1 import annotation_service_pb2_grpc, completion_pb2

_SNAPSHOT_PIECE = 200
_VERDICTS = {
    pb.VERDICT_ACCEPT: Move.ACCEPT,
    pb.VERDICT_REJECT: Move.REJECT,
    pb.VERDICT_WITHDRAW: Move.WITHDRAW,
}


@dataclass(frozen=True, kw_only=True)
class Handlers:
    """What the servicer delegates to."""

    gate: Gate
    members: Members
    catalog: Catalog
    tasks: Tasks
    completions: Completions
    predictions: Predictions
    scan: TaskScan
    selector: Selector
    snapshots: Snapshots
    importer: Importer
    exporter: Exporter
    events: Events


class AnnotationServicer(annotation_service_pb2_grpc.AnnotationServiceServicer):
    """The methods are documented in ``annotation_service.proto``."""

    def __init__(self, handlers: Handlers) -> None:
        """Delegate to the given handlers."""
        self._do = handlers
        self._enter = handlers.gate.enter

    async def CreateProject(
        self, request: pb.CreateProjectRequest, context: object
    ) -> pb.CreateProjectResponse:
        key = basic.request_key("CreateProject", current_user(), request)
        project = await self._do.catalog.create_project(
            request.project_id, catalog.project_fields(request.project), key
        )
        if current_user():
            await self._do.members.make_first_owner(project.id, current_user())
        return pb.CreateProjectResponse(project=catalog.project_message(project))

    async def GetProject(
        self, request: pb.GetProjectRequest, context: object
    ) -> pb.GetProjectResponse:
        name = project_of(request.name, "name")
        await self._enter("GetProject", name)
        project = await self._do.catalog.project(name)
        counts = await self._do.catalog.counts(name)
        return pb.GetProjectResponse(project=catalog.project_message(project, counts))

    async def ListProjects(
        self, request: pb.ListProjectsRequest, context: object
    ) -> pb.ListProjectsResponse:
        user = current_user()
        size, page = request.page_size, request.page_token
        if user:
            projects, token = await self._do.members.projects_of(user, size, page)
        else:
            projects, token = await self._do.catalog.list_projects(size, page)
        return pb.ListProjectsResponse(
            projects=map(catalog.project_message, projects), next_page_token=token
        )

    async def UpdateProject(
        self, request: pb.UpdateProjectRequest, context: object
    ) -> pb.UpdateProjectResponse:
        wanted = request.project
        name = project_of(wanted.name, "project.name")
        await self._enter("UpdateProject", name)
        project = await self._do.catalog.update_project(
            name, wanted.etag, catalog.project_fields(wanted), list(request.update_mask.paths)
        )
        return pb.UpdateProjectResponse(project=catalog.project_message(project))

    async def CreateLabel(
        self, request: pb.CreateLabelRequest, context: object
    ) -> pb.CreateLabelResponse:
        project = project_of(request.parent)
        await self._enter("CreateLabel", project)
        key = basic.request_key("CreateLabel", request.parent, request)
        await self._do.catalog.project(project)
        label = await self._do.catalog.labels.create_label(
            project, catalog.label_fields(request.label), key
        )
        table = await self._do.catalog.labels.table(project)
        return pb.CreateLabelResponse(label=catalog.label_message(label, table))

    async def GetLabel(self, request: pb.GetLabelRequest, context: object) -> pb.GetLabelResponse:
        project, name = label_of(request.name)
        await self._enter("GetLabel", project)
        label = await self._do.catalog.labels.label(project, name)
        table = await self._do.catalog.labels.table(project)
        return pb.GetLabelResponse(label=catalog.label_message(label, table))

    async def ListLabels(
        self, request: pb.ListLabelsRequest, context: object
    ) -> pb.ListLabelsResponse:
        project = project_of(request.parent)
        await self._enter("ListLabels", project)
        await self._do.catalog.project(project)
        labels, token = await self._do.catalog.labels.list_labels(
            project, request.page_size, request.page_token
        )
        table = await self._do.catalog.labels.table(project)
        return pb.ListLabelsResponse(
            labels=[catalog.label_message(label, table) for label in labels],
            next_page_token=token,
        )

    async def UpdateLabel(
        self, request: pb.UpdateLabelRequest, context: object
    ) -> pb.UpdateLabelResponse:
        wanted = request.label
        project, name = label_of(wanted.name, "label.name")
        await self._enter("UpdateLabel", project)
        label = await self._do.catalog.labels.update_label(
            project,
            name,
            wanted.etag,
            catalog.label_fields(wanted),
            list(request.update_mask.paths),
        )
        table = await self._do.catalog.labels.table(project)
        return pb.UpdateLabelResponse(label=catalog.label_message(label, table))

    async def CountLabels(
        self, request: pb.CountLabelsRequest, context: object
    ) -> pb.CountLabelsResponse:
        project = project_of(request.parent)
        await self._enter("CountLabels", project)
        await self._do.catalog.project(project)
        wanted = selections.filter_of(request.filter, project)
        labels = self._do.catalog.labels
        counted = await count_labels(labels, self._do.scan, project, wanted)
        table = await labels.table(project)
        return pb.CountLabelsResponse(
            labels=[catalog.label_message(label, table, count) for label, count in counted]
        )

    async def ImportTasks(
        self, request_iterator: AsyncIterator[pb.ImportTasksRequest], context: object
    ) -> pb.ImportTasksResponse:
        order, pieces = await files.import_of(request_iterator)
        await self._enter("ImportTasks", order.project)
        report = await self._do.importer.run(order, pieces)
        return files.report_message(report)

    async def ExportTasks(
        self, request: pb.ExportTasksRequest, context: object
    ) -> AsyncIterator[pb.ExportTasksResponse]:
        project = project_of(request.parent)
        await self._enter("ExportTasks", project)
        wanted = selections.filter_of(request.filter, project)
        if request.status:
            wanted = replace(wanted, statuses=(basic.status_of(request.status, "status"),))
        pieces = self._do.exporter.tasks(
            project, files.export_format_of(request.format), wanted, files.write_options(request)
        )
        async for piece in pieces:
            omitted = dict(piece.omitted or {})
            yield pb.ExportTasksResponse(
                chunk=piece.data,
                exported_tasks=piece.exported,
                omitted_spans=sum(omitted[name] for name in omitted if "spans" in name),
                omitted=omitted,
            )

    async def ExportSnapshot(
        self, request: pb.ExportSnapshotRequest, context: object
    ) -> AsyncIterator[pb.ExportSnapshotResponse]:
        project, snapshot = snapshot_of(request.name)
        await self._enter("ExportSnapshot", project)
        pieces = self._do.exporter.snapshot(
            project,
            snapshot,
            files.export_format_of(request.format),
            basic.split_of(request.split, "split"),
            files.write_options(request),
        )
        async for piece in pieces:
            yield pb.ExportSnapshotResponse(
                chunk=piece.data,
                exported_examples=piece.exported,
                omitted=dict(piece.omitted or {}),
            )

    async def CreateTask(
        self, request: pb.CreateTaskRequest, context: object
    ) -> pb.CreateTaskResponse:
        project = project_of(request.parent)
        await self._enter("CreateTask", project)
        key = basic.request_key("CreateTask", request.parent, request)
        task = await self._do.tasks.create_task(project, catalog.new_task(request.task), key)
        return pb.CreateTaskResponse(task=catalog.task_message(task))

    async def GetTask(self, request: pb.GetTaskRequest, context: object) -> pb.GetTaskResponse:
        project, name = task_of(request.name, "name")
        await self._enter("GetTask", project)
        task = await self._do.tasks.task(project, name)
        return pb.GetTaskResponse(task=catalog.task_message(task))

    async def ListTasks(
        self, request: pb.ListTasksRequest, context: object
    ) -> pb.ListTasksResponse:
        project = project_of(request.parent)
        await self._enter("ListTasks", project)
        wanted = replace(selections.filter_of(request.filter, project), deleted=request.deleted)
        if request.statuses:
            wanted = replace(wanted, statuses=basic.statuses_of(request.statuses, "statuses"))
        tasks, token = await self._do.tasks.list_tasks(
            project, wanted, request.external_id, request.page_size, request.page_token
        )
        return pb.ListTasksResponse(tasks=map(catalog.task_message, tasks), next_page_token=token)

    async def UpdateTask(
        self, request: pb.UpdateTaskRequest, context: object
    ) -> pb.UpdateTaskResponse:
        project, name = task_of(request.task.name, "task.name")
        await self._enter("UpdateTask", project)
        task = await self._do.tasks.update_task(
            project,
            name,
            request.task.etag,
            catalog.task_fields(request.task),
            list(request.update_mask.paths),
        )
        return pb.UpdateTaskResponse(task=catalog.task_message(task))

    async def TagTasks(self, request: pb.TagTasksRequest, context: object) -> pb.TagTasksResponse:
        project = project_of(request.parent)
        await self._enter("TagTasks", project)
        changed = await self._do.tasks.tag_tasks(
            project, list(request.tasks), list(request.add), list(request.remove)
        )
        return pb.TagTasksResponse(changed=changed)

    async def DeleteTask(
        self, request: pb.DeleteTaskRequest, context: object
    ) -> pb.DeleteTaskResponse:
        project, name = task_of(request.name, "name")
        await self._enter("DeleteTask", project)
        task = await self._do.tasks.delete_task(project, name, request.etag)
        return pb.DeleteTaskResponse(task=catalog.task_message(task))

    async def UndeleteTask(
        self, request: pb.UndeleteTaskRequest, context: object
    ) -> pb.UndeleteTaskResponse:
        project, name = task_of(request.name, "name")
        await self._enter("UndeleteTask", project)
        task = await self._do.tasks.undelete_task(project, name)
        return pb.UndeleteTaskResponse(task=catalog.task_message(task))

    async def PurgeTask(
        self, request: pb.PurgeTaskRequest, context: object
    ) -> pb.PurgeTaskResponse:
        project, name = task_of(request.name, "name")
        await self._enter("PurgeTask", project)
        await self._do.tasks.purge_task(project, name)
        return pb.PurgeTaskResponse()

    async def CreateCompletion(
        self, request: pb.CreateCompletionRequest, context: object
    ) -> pb.CreateCompletionResponse:
        project, task = task_of(request.parent, "parent")
        principal = await self._enter("CreateCompletion", project)
        encoding = basic.encoding_of(request.offset_encoding)
        new = NewCompletion(
            author=request.completion.author,
            content=contents.raw_content(request.completion),
            copied_from=request.completion.copied_from,
            submit=request.submit,
            encoding=encoding,
            lead_time=request.completion.lead_time_seconds,
        )
        key = basic.request_key("CreateCompletion", request.parent, request)
        made = await self._do.completions.create_completion(project, task, new, key, principal)
        return pb.CreateCompletionResponse(completion=_message(made, encoding))

    async def GetCompletion(
        self, request: pb.GetCompletionRequest, context: object
    ) -> pb.GetCompletionResponse:
        project, task, name = completion_of(request.name)
        await self._enter("GetCompletion", project)
        encoding = basic.encoding_of(request.offset_encoding)
        found = await self._do.completions.completion(project, task, name)
        return pb.GetCompletionResponse(completion=_message(found, encoding))

    async def ListCompletions(
        self, request: pb.ListCompletionsRequest, context: object
    ) -> pb.ListCompletionsResponse:
        project, name = task_of(request.parent, "parent")
        await self._enter("ListCompletions", project)
        encoding = basic.encoding_of(request.offset_encoding)
        task, completions, token = await self._do.completions.list_completions(
            project, name, request.page_size, request.page_token, deleted=request.show_deleted
        )
        return pb.ListCompletionsResponse(
            completions=[contents.completion_message(task, one, encoding) for one in completions],
            next_page_token=token,
        )

    async def UpdateCompletion(
        self, request: pb.UpdateCompletionRequest, context: object
    ) -> pb.UpdateCompletionResponse:
        wanted = request.completion
        project, task, name = completion_of(wanted.name, "completion.name")
        principal = await self._enter("UpdateCompletion", project)
        encoding = basic.encoding_of(request.offset_encoding)
        changed = await self._do.completions.update_completion(
            project,
            task,
            name,
            etag=wanted.etag,
            content=contents.raw_content(wanted),
            lead_time=wanted.lead_time_seconds,
            encoding=encoding,
            mask=list(request.update_mask.paths),
            principal=principal,
        )
        return pb.UpdateCompletionResponse(completion=_message(changed, encoding))

    async def SubmitCompletion(
        self, request: pb.SubmitCompletionRequest, context: object
    ) -> pb.SubmitCompletionResponse:
        project, task, name = completion_of(request.name)
        principal = await self._enter("SubmitCompletion", project)
        encoding = basic.encoding_of(request.offset_encoding)
        changed = await self._do.completions.submit_completion(
            project, task, name, request.etag, principal
        )
        return pb.SubmitCompletionResponse(completion=_message(changed, encoding))

    async def ReviewCompletion(
        self, request: pb.ReviewCompletionRequest, context: object
    ) -> pb.ReviewCompletionResponse:
        project, task, name = completion_of(request.name)
        principal = await self._enter("ReviewCompletion", project)
        encoding = basic.encoding_of(request.offset_encoding)
        if request.verdict not in _VERDICTS:
            raise invalid_field("verdict", "must be VERDICT_ACCEPT, _REJECT or _WITHDRAW.")
        changed = await self._do.completions.review_completion(
            project,
            task,
            name,
            move=_VERDICTS[request.verdict],
            reviewer=request.reviewer,
            comment=request.comment,
            etag=request.etag,
            principal=principal,
        )
        return pb.ReviewCompletionResponse(completion=_message(changed, encoding))

    async def StarCompletion(
        self, request: pb.StarCompletionRequest, context: object
    ) -> pb.StarCompletionResponse:
        project, task, name = completion_of(request.name)
        await self._enter("StarCompletion", project)
        encoding = basic.encoding_of(request.offset_encoding)
        changed = await self._do.completions.star_completion(
            project, task, name, on=not request.unstar
        )
        return pb.StarCompletionResponse(completion=_message(changed, encoding))

    async def DeleteCompletion(
        self, request: pb.DeleteCompletionRequest, context: object
    ) -> pb.DeleteCompletionResponse:
        project, task, name = completion_of(request.name)
        principal = await self._enter("DeleteCompletion", project)
        changed = await self._do.completions.delete_completion(
            project, task, name, request.etag, principal
        )
        return pb.DeleteCompletionResponse(completion=_message(changed, OffsetEncoding.CODE_POINT))

    async def UndeleteCompletion(
        self, request: pb.UndeleteCompletionRequest, context: object
    ) -> pb.UndeleteCompletionResponse:
        project, task, name = completion_of(request.name)
        principal = await self._enter("UndeleteCompletion", project)
        changed = await self._do.completions.undelete_completion(project, task, name, principal)
        return pb.UndeleteCompletionResponse(
            completion=_message(changed, OffsetEncoding.CODE_POINT)
        )

    async def WritePredictions(
        self, request: pb.WritePredictionsRequest, context: object
    ) -> pb.WritePredictionsResponse:
        project = project_of(request.parent)
        await self._enter("WritePredictions", project)
        written, unchanged = await self._do.predictions.write(
            project, [contents.new_prediction(one) for one in request.predictions]
        )
        return pb.WritePredictionsResponse(written=written, unchanged=unchanged)

    async def ListPredictions(
        self, request: pb.ListPredictionsRequest, context: object
    ) -> pb.ListPredictionsResponse:
        project, task = predictions_parent_of(request.parent)
        await self._enter("ListPredictions", project)
        encoding = basic.encoding_of(request.offset_encoding)
        predictions, token = await self._do.predictions.list_predictions(
            project,
            task,
            request.generation,
            request.page_size,
            request.page_token,
            request.tasks,
        )
        if request.sources_only:
            predictions = [
                replace(one, spans=(), choices=(), signals=None, extra="") for one in predictions
            ]
        texts: dict[str, str] = {}
        if encoding is not OffsetEncoding.CODE_POINT:
            texts = await self._do.predictions.texts(predictions)
        return pb.ListPredictionsResponse(
            predictions=[
                contents.prediction_message(one, texts.get(one.task, ""), encoding)
                for one in predictions
            ],
            next_page_token=token,
        )

    async def PreviewSelection(
        self, request: pb.PreviewSelectionRequest, context: object
    ) -> pb.PreviewSelectionResponse:
        project = project_of(request.parent)
        await self._enter("PreviewSelection", project)
        found, token = await self._do.selector.preview(
            project,
            selections.selection_of(request.selection, project),
            request.page_size,
            request.page_token,
        )
        return pb.PreviewSelectionResponse(
            decisions=[selections.decision_message(project, one) for one in found],
            next_page_token=token,
        )

    async def CreateSnapshot(
        self, request: pb.CreateSnapshotRequest, context: object
    ) -> pb.CreateSnapshotResponse:
        project = project_of(request.parent)
        await self._enter("CreateSnapshot", project)
        snapshot = await self._do.snapshots.create(
            project,
            selections.policy_of(request.split_policy),
            basic.request_key("CreateSnapshot", request.parent, request),
            selections.selection_of(request.selection, project),
            request.description,
        )
        return pb.CreateSnapshotResponse(snapshot=selections.snapshot_message(snapshot))

    async def GetSnapshot(
        self, request: pb.GetSnapshotRequest, context: object
    ) -> pb.GetSnapshotResponse:
        project, name = snapshot_of(request.name)
        await self._enter("GetSnapshot", project)
        snapshot = await self._do.snapshots.snapshot(project, name)
        return pb.GetSnapshotResponse(snapshot=selections.snapshot_message(snapshot))

    async def ListSnapshots(
        self, request: pb.ListSnapshotsRequest, context: object
    ) -> pb.ListSnapshotsResponse:
        project = project_of(request.parent)
        await self._enter("ListSnapshots", project)
        snapshots, token = await self._do.snapshots.list_snapshots(
            project, request.page_size, request.page_token
        )
        return pb.ListSnapshotsResponse(
            snapshots=map(selections.snapshot_message, snapshots), next_page_token=token
        )

    async def ReadSnapshot(
        self, request: pb.ReadSnapshotRequest, context: object
    ) -> AsyncIterator[pb.ReadSnapshotResponse]:
        project, snapshot = snapshot_of(request.name)
        await self._enter("ReadSnapshot", project)
        async for examples in self._do.snapshots.read(project, snapshot):
            for start in range(0, len(examples), _SNAPSHOT_PIECE):
                piece = examples[start : start + _SNAPSHOT_PIECE]
                yield pb.ReadSnapshotResponse(examples=selections.example_messages(project, piece))

    async def DiffSnapshots(
        self, request: pb.DiffSnapshotsRequest, context: object
    ) -> AsyncIterator[pb.DiffSnapshotsResponse]:
        project, base = snapshot_of(request.base, "base")
        other, target = snapshot_of(request.target, "target")
        await self._enter("DiffSnapshots", project)
        if other != project:
            raise invalid_field("target", "must be a snapshot of the same project as base.")
        async for found in diff(self._do.snapshots, project, base, target):
            if isinstance(found, DiffSummary):
                yield pb.DiffSnapshotsResponse(summary=selections.summary_message(found))
            else:
                yield pb.DiffSnapshotsResponse(
                    differences=[selections.difference_message(project, found)]
                )

    async def WatchEvents(
        self, request: pb.WatchEventsRequest, context: object
    ) -> AsyncIterator[pb.WatchEventsResponse]:
        project = project_of(request.parent)
        await self._enter("WatchEvents", project)
        async for some in self._do.events.watch(project, request.resume_token):
            # Who was removed before these were read hears none of them.
            await self._enter("WatchEvents", project)
            for told in some:
                if told.event is None:
                    yield pb.WatchEventsResponse(heartbeat=told.token)
                else:
                    yield pb.WatchEventsResponse(event=basic.event_message(told.event, told.token))


def _message(annotated: Annotated, encoding: OffsetEncoding) -> completion_pb2.Completion:
    return contents.completion_message(annotated.task, annotated.completion, encoding)
