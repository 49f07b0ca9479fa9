"""AnnotationService: converts messages and delegates to the handlers."""

# ruff: noqa: ARG002, D102, N802 - names and signatures are those of the generated base class

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from services.annotation import convert, files_convert
from services.annotation.handlers.catalog import Catalog
from services.annotation.handlers.completions import Annotated, Completions, NewCompletion
from services.annotation.handlers.events import Events
from services.annotation.handlers.exporting import Exporter
from services.annotation.handlers.importing import Importer
from services.annotation.handlers.predictions import Predictions
from services.annotation.handlers.snapshots import Snapshots
from services.annotation.handlers.tasks import NewTask, Tasks
from services.annotation.names import (
    completion_of,
    label_of,
    predictions_parent_of,
    project_of,
    snapshot_of,
    task_of,
)
from services.common.offsets import OffsetEncoding
from spanloop.annotation.v1 import annotation_service_pb2 as pb
from spanloop.annotation.v1 import annotation_service_pb2_grpc, completion_pb2

_SNAPSHOT_PIECE = 200


@dataclass(frozen=True, kw_only=True)
class Handlers:
    """What the servicer delegates to."""

    catalog: Catalog
    tasks: Tasks
    completions: Completions
    predictions: Predictions
    snapshots: Snapshots
    importer: Importer
    exporter: Exporter
    events: Events


class AnnotationServicer(annotation_service_pb2_grpc.AnnotationServiceServicer):
    """The methods are documented in ``annotation_service.proto``."""

    def __init__(self, handlers: Handlers) -> None:
        """Delegate to the given handlers."""
        self._do = handlers

    async def CreateProject(
        self, request: pb.CreateProjectRequest, context: object
    ) -> pb.CreateProjectResponse:
        key = convert.request_key("CreateProject", "", request)
        project = await self._do.catalog.create_project(
            request.project_id, request.project.display_name, key
        )
        return pb.CreateProjectResponse(project=convert.project_message(project))

    async def GetProject(
        self, request: pb.GetProjectRequest, context: object
    ) -> pb.GetProjectResponse:
        project = await self._do.catalog.project(project_of(request.name, "name"))
        counts = await self._do.catalog.counts(project.id)
        return pb.GetProjectResponse(project=convert.project_message(project, counts))

    async def ListProjects(
        self, request: pb.ListProjectsRequest, context: object
    ) -> pb.ListProjectsResponse:
        projects, token = await self._do.catalog.list_projects(
            request.page_size, request.page_token
        )
        return pb.ListProjectsResponse(
            projects=map(convert.project_message, projects), next_page_token=token
        )

    async def UpdateProject(
        self, request: pb.UpdateProjectRequest, context: object
    ) -> pb.UpdateProjectResponse:
        wanted = request.project
        project = await self._do.catalog.update_project(
            project_of(wanted.name, "project.name"),
            wanted.etag,
            wanted.display_name,
            list(request.update_mask.paths),
        )
        return pb.UpdateProjectResponse(project=convert.project_message(project))

    async def CreateLabel(
        self, request: pb.CreateLabelRequest, context: object
    ) -> pb.CreateLabelResponse:
        project = project_of(request.parent)
        key = convert.request_key("CreateLabel", request.parent, request)
        label = await self._do.catalog.create_label(
            project, request.label.value, request.label.description, key
        )
        return pb.CreateLabelResponse(label=convert.label_message(label))

    async def GetLabel(self, request: pb.GetLabelRequest, context: object) -> pb.GetLabelResponse:
        label = await self._do.catalog.label(*label_of(request.name))
        return pb.GetLabelResponse(label=convert.label_message(label))

    async def ListLabels(
        self, request: pb.ListLabelsRequest, context: object
    ) -> pb.ListLabelsResponse:
        labels, token = await self._do.catalog.list_labels(
            project_of(request.parent), request.page_size, request.page_token
        )
        return pb.ListLabelsResponse(
            labels=map(convert.label_message, labels), next_page_token=token
        )

    async def UpdateLabel(
        self, request: pb.UpdateLabelRequest, context: object
    ) -> pb.UpdateLabelResponse:
        wanted = request.label
        label = await self._do.catalog.update_label(
            *label_of(wanted.name, "label.name"),
            wanted.etag,
            wanted.description,
            list(request.update_mask.paths),
        )
        return pb.UpdateLabelResponse(label=convert.label_message(label))

    async def ImportTasks(
        self, request_iterator: AsyncIterator[pb.ImportTasksRequest], context: object
    ) -> pb.ImportTasksResponse:
        order, pieces = await files_convert.import_of(request_iterator)
        report = await self._do.importer.run(order, pieces)
        return files_convert.report_message(report)

    async def ExportTasks(
        self, request: pb.ExportTasksRequest, context: object
    ) -> AsyncIterator[pb.ExportTasksResponse]:
        pieces = self._do.exporter.run(
            project_of(request.parent),
            files_convert.export_format_of(request.format),
            convert.optional_status_of(request.status, "status"),
            convert.encoding_of(request.offset_encoding),
        )
        async for piece in pieces:
            yield pb.ExportTasksResponse(
                chunk=piece.data, exported_tasks=piece.tasks, omitted_spans=piece.omitted_spans
            )

    async def CreateTask(
        self, request: pb.CreateTaskRequest, context: object
    ) -> pb.CreateTaskResponse:
        project = project_of(request.parent)
        new = NewTask(
            text=request.task.text,
            external_id=request.task.external_id,
            split=convert.split_of(request.task.split, "task.split"),
            metadata=dict(request.task.metadata),
        )
        key = convert.request_key("CreateTask", request.parent, request)
        task = await self._do.tasks.create_task(project, new, key)
        return pb.CreateTaskResponse(task=convert.task_message(task))

    async def GetTask(self, request: pb.GetTaskRequest, context: object) -> pb.GetTaskResponse:
        task = await self._do.tasks.task(*task_of(request.name, "name"))
        return pb.GetTaskResponse(task=convert.task_message(task))

    async def ListTasks(
        self, request: pb.ListTasksRequest, context: object
    ) -> pb.ListTasksResponse:
        tasks, token = await self._do.tasks.list_tasks(
            project_of(request.parent),
            [
                convert.status_of(status, f"statuses[{place}]")
                for place, status in enumerate(request.statuses)
            ],
            request.external_id,
            request.page_size,
            request.page_token,
        )
        return pb.ListTasksResponse(tasks=map(convert.task_message, tasks), next_page_token=token)

    async def CreateCompletion(
        self, request: pb.CreateCompletionRequest, context: object
    ) -> pb.CreateCompletionResponse:
        project, task = task_of(request.parent, "parent")
        encoding = convert.encoding_of(request.offset_encoding)
        new = NewCompletion(
            author=request.completion.author,
            spans=convert.raw_spans(request.completion.spans),
            copied_from=request.completion.copied_from,
            submit=request.submit,
            encoding=encoding,
        )
        key = convert.request_key("CreateCompletion", request.parent, request)
        made = await self._do.completions.create_completion(project, task, new, key)
        return pb.CreateCompletionResponse(completion=_message(made, encoding))

    async def GetCompletion(
        self, request: pb.GetCompletionRequest, context: object
    ) -> pb.GetCompletionResponse:
        encoding = convert.encoding_of(request.offset_encoding)
        found = await self._do.completions.completion(*completion_of(request.name))
        return pb.GetCompletionResponse(completion=_message(found, encoding))

    async def ListCompletions(
        self, request: pb.ListCompletionsRequest, context: object
    ) -> pb.ListCompletionsResponse:
        encoding = convert.encoding_of(request.offset_encoding)
        task, completions, token = await self._do.completions.list_completions(
            *task_of(request.parent, "parent"), request.page_size, request.page_token
        )
        return pb.ListCompletionsResponse(
            completions=[convert.completion_message(task, one, encoding) for one in completions],
            next_page_token=token,
        )

    async def UpdateCompletion(
        self, request: pb.UpdateCompletionRequest, context: object
    ) -> pb.UpdateCompletionResponse:
        encoding = convert.encoding_of(request.offset_encoding)
        changed = await self._do.completions.update_completion(
            *completion_of(request.completion.name, "completion.name"),
            etag=request.completion.etag,
            spans=convert.raw_spans(request.completion.spans),
            encoding=encoding,
            mask=list(request.update_mask.paths),
        )
        return pb.UpdateCompletionResponse(completion=_message(changed, encoding))

    async def SubmitCompletion(
        self, request: pb.SubmitCompletionRequest, context: object
    ) -> pb.SubmitCompletionResponse:
        encoding = convert.encoding_of(request.offset_encoding)
        changed = await self._do.completions.submit_completion(
            *completion_of(request.name), request.etag
        )
        return pb.SubmitCompletionResponse(completion=_message(changed, encoding))

    async def WritePredictions(
        self, request: pb.WritePredictionsRequest, context: object
    ) -> pb.WritePredictionsResponse:
        written, unchanged = await self._do.predictions.write(
            project_of(request.parent), [convert.new_prediction(one) for one in request.predictions]
        )
        return pb.WritePredictionsResponse(written=written, unchanged=unchanged)

    async def ListPredictions(
        self, request: pb.ListPredictionsRequest, context: object
    ) -> pb.ListPredictionsResponse:
        encoding = convert.encoding_of(request.offset_encoding)
        predictions, token = await self._do.predictions.list_predictions(
            *predictions_parent_of(request.parent),
            request.generation,
            request.page_size,
            request.page_token,
        )
        texts: dict[str, str] = {}
        if encoding is not OffsetEncoding.CODE_POINT:
            texts = await self._do.predictions.texts(predictions)
        return pb.ListPredictionsResponse(
            predictions=[
                convert.prediction_message(one, texts.get(one.task, ""), encoding)
                for one in predictions
            ],
            next_page_token=token,
        )

    async def CreateSnapshot(
        self, request: pb.CreateSnapshotRequest, context: object
    ) -> pb.CreateSnapshotResponse:
        project = project_of(request.parent)
        policy = convert.policy_of(request.split_policy)
        key = convert.request_key("CreateSnapshot", request.parent, request)
        snapshot = await self._do.snapshots.create(project, policy, key)
        return pb.CreateSnapshotResponse(snapshot=convert.snapshot_message(snapshot))

    async def GetSnapshot(
        self, request: pb.GetSnapshotRequest, context: object
    ) -> pb.GetSnapshotResponse:
        snapshot = await self._do.snapshots.snapshot(*snapshot_of(request.name))
        return pb.GetSnapshotResponse(snapshot=convert.snapshot_message(snapshot))

    async def ListSnapshots(
        self, request: pb.ListSnapshotsRequest, context: object
    ) -> pb.ListSnapshotsResponse:
        snapshots, token = await self._do.snapshots.list_snapshots(
            project_of(request.parent), request.page_size, request.page_token
        )
        return pb.ListSnapshotsResponse(
            snapshots=map(convert.snapshot_message, snapshots), next_page_token=token
        )

    async def ReadSnapshot(
        self, request: pb.ReadSnapshotRequest, context: object
    ) -> AsyncIterator[pb.ReadSnapshotResponse]:
        project, snapshot = snapshot_of(request.name)
        async for examples in self._do.snapshots.read(project, snapshot):
            for start in range(0, len(examples), _SNAPSHOT_PIECE):
                piece = examples[start : start + _SNAPSHOT_PIECE]
                yield pb.ReadSnapshotResponse(examples=convert.example_messages(project, piece))

    async def WatchEvents(
        self, request: pb.WatchEventsRequest, context: object
    ) -> AsyncIterator[pb.WatchEventsResponse]:
        project = project_of(request.parent)
        async for told in self._do.events.watch(project, request.resume_token):
            yield convert.told_message(told)


def _message(annotated: Annotated, encoding: OffsetEncoding) -> completion_pb2.Completion:
    return convert.completion_message(annotated.task, annotated.completion, encoding)
