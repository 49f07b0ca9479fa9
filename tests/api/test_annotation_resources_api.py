"""Projects, labels, tasks and completions over the real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from services.common.errors import Reason
from spanloop.annotation.v1 import annotation_service_pb2 as pb
from spanloop.annotation.v1.completion_pb2 import (
    COMPLETION_STATE_DRAFT,
    COMPLETION_STATE_SUBMITTED,
    Completion,
)
from spanloop.annotation.v1.label_pb2 import Label
from spanloop.annotation.v1.project_pb2 import Project
from spanloop.annotation.v1.task_pb2 import (
    TASK_STATUS_IN_PROGRESS,
    TASK_STATUS_INCOMPLETE,
    TASK_STATUS_SUBMITTED,
    Task,
)
from spanloop.common.v1 import evaluation_pb2, text_pb2
from spanloop.common.v1.text_pb2 import Span
from tests.support.annotation import AnnotationClient, annotation, refused

INVALID = grpc.StatusCode.INVALID_ARGUMENT
UTF8, UTF16 = text_pb2.TEXT_OFFSET_ENCODING_UTF8, text_pb2.TEXT_OFFSET_ENCODING_UTF16


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[AnnotationClient]:
    async with annotation(tmp_path) as client:
        yield client


async def test_projects(client: AnnotationClient) -> None:
    name = await client.project("contracts-1")
    assert name == "projects/contracts-1"
    project = (await client.stub.GetProject(pb.GetProjectRequest(name=name))).project
    assert (project.display_name, project.task_count) == ("contracts-1", 0)
    assert project.create_time == project.update_time
    changed = await client.update_project(name, "Contracts", etag=project.etag)
    assert (changed.display_name, changed.etag != project.etag) == ("Contracts", True)
    with refused(grpc.StatusCode.ABORTED, Reason.ETAG_MISMATCH, resource=name):
        await client.update_project(name, "Other", etag=project.etag)
    with refused(grpc.StatusCode.ALREADY_EXISTS, Reason.RESOURCE_EXISTS, resource=name):
        await client.project("contracts-1")
    with refused(grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND, resource="projects/no"):
        await client.stub.GetProject(pb.GetProjectRequest(name="projects/no"))
    for bad in ("", "Big", "-x", "a/b", "x" * 64):
        with refused(INVALID, Reason.FIELD_INVALID, field="project_id"):
            await client.project(bad)
    with refused(INVALID, Reason.FIELD_INVALID, field="name"):
        await client.stub.GetProject(pb.GetProjectRequest(name="contracts-1"))
    with refused(INVALID, Reason.FIELD_INVALID, field="project.display_name"):
        await client.update_project(name, "x" * 201)
    for paths in ([], ["name"], ["*"]):
        request = pb.UpdateProjectRequest(project=Project(name=name))
        request.update_mask.paths.extend(paths)
        with refused(INVALID, Reason.FIELD_INVALID, field="update_mask"):
            await client.stub.UpdateProject(request)


async def test_lists_go_page_by_page_in_order_of_creation(client: AnnotationClient) -> None:
    for number in range(5):
        await client.project(f"p{4 - number}")
    found, token = [], ""
    while True:
        answer = await client.stub.ListProjects(
            pb.ListProjectsRequest(page_size=2, page_token=token)
        )
        found += [project.name for project in answer.projects]
        token = answer.next_page_token
        if not token:
            break
    assert found == [f"projects/p{4 - number}" for number in range(5)]
    first = await client.stub.ListProjects(pb.ListProjectsRequest(page_size=2))
    with refused(INVALID, Reason.PAGE_TOKEN_INVALID):
        await client.stub.ListTasks(
            pb.ListTasksRequest(parent="projects/p0", page_token=first.next_page_token)
        )
    with refused(INVALID, Reason.FIELD_INVALID, field="page_size"):
        await client.stub.ListProjects(pb.ListProjectsRequest(page_size=-1))


async def test_a_repeated_creation_returns_the_first_answer(client: AnnotationClient) -> None:
    create = pb.CreateProjectRequest(project_id="p", request_id="r")
    first = await client.stub.CreateProject(create)
    assert await client.stub.CreateProject(create) == first
    with refused(INVALID, Reason.REQUEST_ID_REUSED):
        await client.stub.CreateProject(pb.CreateProjectRequest(project_id="q", request_id="r"))
    parent = first.project.name

    label = pb.CreateLabelRequest(parent=parent, label=Label(value="x"), request_id="r")
    task = pb.CreateTaskRequest(parent=parent, task=Task(text="ab"), request_id="r")
    made = await client.stub.CreateTask(task)
    completion = pb.CreateCompletionRequest(
        parent=made.task.name, completion=Completion(author="a"), submit=True, request_id="r"
    )
    snapshot = pb.CreateSnapshotRequest(parent=parent, request_id="r")
    steps = [
        (client.stub.CreateLabel, label),
        (client.stub.CreateTask, task),
        (client.stub.CreateCompletion, completion),
        (client.stub.CreateSnapshot, snapshot),
    ]
    for method, request in steps:
        assert await method(request) == await method(request)
    task.task.text = "other"
    completion.completion.author = "b"
    label.label.value = "y"
    snapshot.split_policy.given.seed = 1
    for method, request in steps:
        with refused(INVALID, Reason.REQUEST_ID_REUSED):
            await method(request)
    assert len(await client.tasks(parent)) == 1
    created = ["PROJECT", "TASK", "LABEL", "COMPLETION", "SNAPSHOT"]
    assert len(await client.events(parent, len(created))) == len(created)


async def test_labels(client: AnnotationClient) -> None:
    parent = await client.project("p")
    label = await client.label(parent, "creative-work")
    assert (await client.stub.GetLabel(pb.GetLabelRequest(name=label.name))).label == label
    with refused(grpc.StatusCode.ALREADY_EXISTS, Reason.RESOURCE_EXISTS, value="creative-work"):
        await client.label(parent, "creative-work")
    await client.label(parent, "Creative-Work")  # another one: case matters
    for bad in ("", " x", "a\tb", "x" * 101):
        with refused(INVALID, Reason.FIELD_INVALID, field="label.value"):
            await client.label(parent, bad)
    update = pb.UpdateLabelRequest(
        label=Label(name=label.name, description="Titles.", etag=label.etag)
    )
    update.update_mask.paths.append("description")
    changed = (await client.stub.UpdateLabel(update)).label
    assert (changed.description, changed.value) == ("Titles.", "creative-work")
    with refused(grpc.StatusCode.ABORTED, Reason.ETAG_MISMATCH, resource=label.name):
        await client.stub.UpdateLabel(update)
    update.update_mask.paths[:] = ["create_time"]
    with refused(INVALID, Reason.FIELD_INVALID, field="update_mask"):
        await client.stub.UpdateLabel(update)
    listed = await client.stub.ListLabels(pb.ListLabelsRequest(parent=parent))
    assert [one.value for one in listed.labels] == ["creative-work", "Creative-Work"]
    with refused(grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
        await client.label("projects/none", "x")
    with refused(grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
        await client.stub.GetLabel(pb.GetLabelRequest(name=f"{parent}/labels/none"))


async def test_tasks(client: AnnotationClient) -> None:
    parent = await client.project("p", "x")
    first = await client.task(
        parent, "Ada", "ext-1", split=evaluation_pb2.SPLIT_DEV, metadata={"a.$b": "\n"}
    )
    second = await client.task(parent, "Bob")
    assert (first.status, first.external_id) == (TASK_STATUS_INCOMPLETE, "ext-1")
    assert (await client.stub.GetTask(pb.GetTaskRequest(name=first.name))).task == first
    with refused(grpc.StatusCode.ALREADY_EXISTS, Reason.RESOURCE_EXISTS, external_id="ext-1"):
        await client.task(parent, "Other", "ext-1")
    await client.complete(first.name, [(0, 3, "x")])
    await client.complete(second.name, submit=False)
    third = await client.task(parent, "Cy")

    async def names(**fields: object) -> list[str]:
        return [task.name for task in await client.tasks(parent, **fields)]

    assert await names() == [first.name, second.name, third.name]
    assert await names(statuses=[TASK_STATUS_SUBMITTED]) == [first.name]
    assert await names(statuses=[TASK_STATUS_INCOMPLETE, TASK_STATUS_IN_PROGRESS]) == [
        second.name,
        third.name,
    ]
    assert await names(external_id="ext-1") == [first.name]
    assert await names(external_id="none") == []
    with refused(INVALID, Reason.FIELD_INVALID, field="statuses[0]"):
        await names(statuses=[99])
    project = (await client.stub.GetProject(pb.GetProjectRequest(name=parent))).project
    assert (project.task_count, project.submitted_task_count) == (3, 1)
    for field, fields in (
        ("task.text", {"text": ""}),
        ("task.text", {"text": "x" * 1_000_001}),
        ("task.external_id", {"text": "a", "external_id": "x" * 201}),
        ("task.split", {"text": "a", "split": 9}),
        ("task.metadata", {"text": "a", "metadata": {str(n): "" for n in range(65)}}),
        ("task.metadata[k]", {"text": "a", "metadata": {"k": "x" * 1001}}),
    ):
        with refused(INVALID, Reason.FIELD_INVALID, field=field):
            await client.stub.CreateTask(pb.CreateTaskRequest(parent=parent, task=Task(**fields)))
    with refused(grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
        await client.task("projects/none", "a")
    with refused(grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
        await client.stub.GetTask(pb.GetTaskRequest(name=f"{parent}/tasks/none"))


async def test_the_course_of_a_completion(client: AnnotationClient) -> None:
    parent = await client.project("p", "x", "y")
    task = await client.task(parent, "Ada met Bob")
    draft = await client.complete(task.name, [(8, 11, "x"), (0, 3, "y")], submit=False)
    assert draft.state == COMPLETION_STATE_DRAFT
    assert not draft.HasField("submit_time")
    assert [(span.start, span.end, span.label, span.id) for span in draft.spans] == [
        (0, 3, "y", "s1"),
        (8, 11, "x", "s2"),
    ]

    async def task_now() -> Task:
        return (await client.stub.GetTask(pb.GetTaskRequest(name=task.name))).task

    now = await task_now()
    assert (now.status, now.completion_count) == (TASK_STATUS_IN_PROGRESS, 1)
    assert now.etag != task.etag

    async def update(etag: str, *spans: Span) -> Completion:
        request = pb.UpdateCompletionRequest(
            completion=Completion(name=draft.name, etag=etag, spans=spans)
        )
        request.update_mask.paths.append("spans")
        return (await client.stub.UpdateCompletion(request)).completion

    edited = await update(draft.etag, Span(start=0, end=3, label="x"))
    with refused(grpc.StatusCode.ABORTED, Reason.ETAG_MISMATCH, resource=draft.name):
        await update(draft.etag)
    with refused(grpc.StatusCode.ABORTED, Reason.ETAG_MISMATCH):
        await client.stub.SubmitCompletion(
            pb.SubmitCompletionRequest(name=draft.name, etag=draft.etag)
        )
    submit = pb.SubmitCompletionRequest(name=draft.name, etag=edited.etag)
    submitted = (await client.stub.SubmitCompletion(submit)).completion
    assert submitted.state == COMPLETION_STATE_SUBMITTED
    assert (await task_now()).status == TASK_STATUS_SUBMITTED
    with refused(grpc.StatusCode.FAILED_PRECONDITION, Reason.STATE_CONFLICT, state="SUBMITTED"):
        await client.stub.SubmitCompletion(submit)
    corrected = await update("")
    assert corrected.state == COMPLETION_STATE_SUBMITTED
    assert corrected.submit_time == submitted.submit_time
    assert not corrected.spans
    read = await client.stub.GetCompletion(pb.GetCompletionRequest(name=draft.name))
    assert read.completion == corrected

    others = [await client.complete(task.name, author=f"a{n}") for n in range(3)]
    found, token = [], ""
    while True:
        answer = await client.stub.ListCompletions(
            pb.ListCompletionsRequest(parent=task.name, page_size=3, page_token=token)
        )
        found += answer.completions
        token = answer.next_page_token
        if not token:
            break
    assert found == [corrected, *others]
    for name in (f"{task.name}/completions/none", f"{parent}/tasks/none/completions/c"):
        with refused(grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND, resource=name):
            await client.stub.SubmitCompletion(pb.SubmitCompletionRequest(name=name))


async def test_refused_completions_change_nothing(client: AnnotationClient) -> None:
    parent = await client.project("p", "x")
    task = await client.task(parent, "a😀e\u0301b")
    for reason, field, spans, fields in (
        (Reason.OFFSET_INVALID, "completion.spans[0].end", [(0, 6, "x")], {}),
        (Reason.OFFSET_INVALID, "completion.spans[0].start", [(-1, 2, "x")], {}),
        (Reason.OFFSET_INVALID, "completion.spans[1].end", [(0, 1, "x"), (2, 2, "x")], {}),
        (Reason.OFFSET_INVALID, "completion.spans[0].end", [(0, 2, "x")], {"offset_encoding": 3}),
        (Reason.OFFSET_INVALID, "completion.spans[0].end", [(0, 4, "x")], {"offset_encoding": 3}),
        (Reason.OFFSET_INVALID, "completion.spans[0].end", [(0, 3, "x")], {"offset_encoding": 2}),
        (Reason.LABEL_UNKNOWN, "completion.spans[0].label", [(0, 1, "no")], {}),
        (Reason.FIELD_INVALID, "completion.spans[0].label", [(0, 1, "")], {}),
        (Reason.FIELD_INVALID, "completion.spans[1]", [(0, 1, "x"), (0, 1, "x")], {}),
        (Reason.FIELD_INVALID, "completion.author", [], {"author": ""}),
        (Reason.FIELD_INVALID, "offset_encoding", [], {"offset_encoding": 77}),
        (Reason.FIELD_INVALID, "request_id", [], {"request_id": "r" * 101}),
    ):
        with refused(INVALID, reason, field=field):
            await client.complete(task.name, spans, **fields)
    for copied in (f"{task.name}/predictions/none", "nonsense", task.name):
        request = pb.CreateCompletionRequest(
            parent=task.name, completion=Completion(author="a", copied_from=copied)
        )
        with refused(INVALID, Reason.FIELD_INVALID, field="completion.copied_from"):
            await client.stub.CreateCompletion(request)
    assert (await client.stub.GetTask(pb.GetTaskRequest(name=task.name))).task == task


async def test_offsets_in_the_units_that_the_caller_counts_in(client: AnnotationClient) -> None:
    parent = await client.project("p", "x")
    task = await client.task(parent, "Ö😀 Ada")
    made = await client.complete(task.name, [(4, 7, "x")], offset_encoding=UTF16)
    assert (made.spans[0].start, made.spans[0].end) == (4, 7)
    for encoding, extent in ((UTF8, (7, 10)), (UTF16, (4, 7)), (0, (3, 6)), (1, (3, 6))):
        request = pb.GetCompletionRequest(name=made.name, offset_encoding=encoding)
        (span,) = (await client.stub.GetCompletion(request)).completion.spans
        assert (span.start, span.end) == extent
