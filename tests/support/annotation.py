"""What the annotation service's tests share: a server, and a client with the usual first steps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import grpc
import pytest
from grpc import aio

from services.annotation.bootstrap import build
from services.annotation.config import AnnotationSettings
from services.common.errors import Reason
from services.common.grpc_status import received_error
from spanloop.annotation.v1 import (
    agreement_service_pb2_grpc,
    annotation_service_pb2_grpc,
    history_service_pb2_grpc,
    labeling_service_pb2_grpc,
    member_service_pb2_grpc,
    rule_service_pb2_grpc,
    suggestion_service_pb2_grpc,
)
from spanloop.annotation.v1 import annotation_service_pb2 as pb
from spanloop.annotation.v1.completion_pb2 import Completion
from spanloop.annotation.v1.event_pb2 import Event, EventType
from spanloop.annotation.v1.label_pb2 import Label
from spanloop.annotation.v1.project_pb2 import Project
from spanloop.annotation.v1.snapshot_pb2 import SnapshotExample
from spanloop.annotation.v1.task_pb2 import Task
from spanloop.common.v1.text_pb2 import Span
from tests.support import client_channel, running


class AnnotationClient:
    """The stub, and the steps that most tests begin with."""

    def __init__(self, channel: aio.Channel) -> None:
        self.channel = channel
        self.stub = annotation_service_pb2_grpc.AnnotationServiceStub(channel)
        self.labeling = labeling_service_pb2_grpc.LabelingServiceStub(channel)
        self.members = member_service_pb2_grpc.MemberServiceStub(channel)
        self.history = history_service_pb2_grpc.HistoryServiceStub(channel)
        self.agreement = agreement_service_pb2_grpc.AgreementServiceStub(channel)
        self.rules = rule_service_pb2_grpc.RuleServiceStub(channel)
        self.suggestions = suggestion_service_pb2_grpc.SuggestionServiceStub(channel)

    async def project(self, id: str = "p", *labels: str) -> str:
        answer = await self.stub.CreateProject(pb.CreateProjectRequest(project_id=id))
        for label in labels:
            await self.label(answer.project.name, label)
        return str(answer.project.name)

    async def label(self, parent: str, value: str) -> Label:
        request = pb.CreateLabelRequest(parent=parent, label=Label(value=value))
        return (await self.stub.CreateLabel(request)).label

    async def task(self, parent: str, text: str, external_id: str = "", **fields: object) -> Task:
        task = Task(text=text, external_id=external_id, **fields)
        return (await self.stub.CreateTask(pb.CreateTaskRequest(parent=parent, task=task))).task

    async def complete(
        self,
        task: str,
        spans: Sequence[tuple[int, int, str]] = (),
        *,
        submit: bool = True,
        author: str = "ann",
        **fields: object,
    ) -> Completion:
        completion = Completion(
            author=author, spans=[Span(start=s, end=e, label=label) for s, e, label in spans]
        )
        request = pb.CreateCompletionRequest(
            parent=task, completion=completion, submit=submit, **fields
        )
        return (await self.stub.CreateCompletion(request)).completion

    async def load(
        self, parent: str, data: bytes, *, chunk: int = 64 * 1024, **header: object
    ) -> pb.ImportTasksResponse:
        first = pb.ImportTasksHeader(parent=parent, **header)

        async def messages() -> AsyncIterator[pb.ImportTasksRequest]:
            yield pb.ImportTasksRequest(header=first)
            for start in range(0, len(data), chunk):
                yield pb.ImportTasksRequest(chunk=data[start : start + chunk])

        return await self.stub.ImportTasks(messages())

    async def dump(self, parent: str, **fields: object) -> tuple[bytes, int, int]:
        data = b""
        async for piece in self.stub.ExportTasks(pb.ExportTasksRequest(parent=parent, **fields)):
            data += piece.chunk
        return data, piece.exported_tasks, piece.omitted_spans

    async def count(self, parent: str) -> int:
        request = pb.GetProjectRequest(name=parent)
        return int((await self.stub.GetProject(request)).project.task_count)

    async def tasks(self, parent: str, **fields: object) -> list[Task]:
        found: list[Task] = []
        token = ""
        while True:
            request = pb.ListTasksRequest(
                parent=parent, page_size=1_000, page_token=token, **fields
            )
            answer = await self.stub.ListTasks(request)
            found += answer.tasks
            token = answer.next_page_token
            if not token:
                return found

    async def examples(self, snapshot: str) -> list[SnapshotExample]:
        request = pb.ReadSnapshotRequest(name=snapshot)
        return [one async for piece in self.stub.ReadSnapshot(request) for one in piece.examples]

    async def events(self, parent: str, count: int, resume_token: str = "") -> list[Event]:
        """Read exactly `count` events."""
        found: list[Event] = []
        call = self.stub.WatchEvents(
            pb.WatchEventsRequest(parent=parent, resume_token=resume_token)
        )
        try:
            async with asyncio.timeout(20):
                while len(found) < count:
                    answer = await call.read()
                    if answer.WhichOneof("payload") == "event":
                        found.append(answer.event)
        finally:
            call.cancel()
        return found

    async def update_project(self, name: str, display_name: str, etag: str = "") -> Project:
        request = pb.UpdateProjectRequest(
            project=Project(name=name, display_name=display_name, etag=etag)
        )
        request.update_mask.paths.append("display_name")
        return (await self.stub.UpdateProject(request)).project


def kind(event: Event) -> str:
    """Return the short name of an event's type."""
    return EventType.Name(event.type).removeprefix("EVENT_TYPE_")


@contextmanager
def refused(
    code: grpc.StatusCode, reason: Reason, *, field: str = "", **metadata: str
) -> Iterator[None]:
    """Expect a call to fail with a code, a reason, a bad field, facts."""
    with pytest.raises(aio.AioRpcError) as caught:
        yield
    error = received_error(caught.value)
    assert (error.code, error.reason) == (code, reason), error
    if field:
        assert [violation.field for violation in error.violations] == [field]
    assert error.metadata.items() >= metadata.items()


def annotation_settings(folder: Path, **fields: object) -> AnnotationSettings:
    """Return settings for a server of this process, or of another one on the same data."""
    return AnnotationSettings(data_dir=folder, listen="127.0.0.1:0", **fields)


@asynccontextmanager
async def annotation(folder: Path, **fields: object) -> AsyncIterator[AnnotationClient]:
    """Run an annotation service on a folder and connect to it."""
    async with (
        running(annotation_settings(folder, **fields), build) as server,
        client_channel(server) as channel,
    ):
        yield AnnotationClient(channel)
