"""Import and export over the real server."""

from __future__ import annotations

import json
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from services.common.errors import Reason
from spanloop.annotation.v1 import annotation_service_pb2 as pb
from spanloop.annotation.v1.task_pb2 import TASK_STATUS_INCOMPLETE, TASK_STATUS_SUBMITTED
from spanloop.common.v1 import evaluation_pb2, text_pb2
from tests.support.annotation import AnnotationClient, annotation, kind, refused

INVALID = grpc.StatusCode.INVALID_ARGUMENT
ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("SPANLOOP_TEST_DATA", ROOT.parent / "shared" / "data"))

CONLL = b"Ada\tB-PER\nmet\tO\nBob\tB-PER\n\nParis\tB-LOC\n!\tO\n"
JSONL = (
    json.dumps({"id": "a", "text": "Ö Ada", "spans": [{"start": 2, "end": 5, "label": "PER"}]})
    + "\n"
    + json.dumps({"id": "b", "text": "open", "split": "test", "metadata": {"k": "v"}})
    + "\n"
    + json.dumps({"text": "none here", "spans": []})
).encode()


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[AnnotationClient]:
    async with annotation(tmp_path, import_max_line_bytes=64 * 1024) as client:
        yield client


async def test_conll_in_and_out(client: AnnotationClient) -> None:
    parent = await client.project("p")
    report = await client.load(
        parent, CONLL, chunk=3, create_labels=True, split=evaluation_pb2.SPLIT_TRAIN
    )
    assert (report.imported_tasks, report.imported_completions, report.imported_spans) == (2, 2, 3)
    assert list(report.created_labels) == ["PER", "LOC"]
    assert report.format == pb.TASK_FORMAT_CONLL
    tasks = await client.tasks(parent)
    assert [task.text for task in tasks] == ["Ada met Bob", "Paris !"]
    assert {task.split for task in tasks} == {evaluation_pb2.SPLIT_TRAIN}
    assert {task.status for task in tasks} == {TASK_STATUS_SUBMITTED}
    completions = await client.stub.ListCompletions(pb.ListCompletionsRequest(parent=tasks[0].name))
    assert completions.completions[0].author == "import"
    data, exported, omitted = await client.dump(parent, format=pb.TASK_FORMAT_CONLL)
    assert (data, exported, omitted) == (CONLL + b"\n", 2, 0)
    events = await client.events(parent, 7)
    assert [kind(event) for event in events] == [
        "PROJECT_CREATED",
        "LABEL_CREATED",
        "LABEL_CREATED",
        *["TASK_CREATED", "COMPLETION_SUBMITTED"] * 2,
    ]


async def test_the_same_file_twice_is_stored_once(client: AnnotationClient) -> None:
    parent = await client.project("p")
    for fields in ({}, {"source_name": "file-1"}):
        first = await client.load(parent, CONLL, create_labels=True, **fields)
        again = await client.load(parent, CONLL, create_labels=True, **fields)
        assert (first.imported_tasks, first.unchanged_tasks) == (2, 0)
        assert (again.imported_tasks, again.unchanged_tasks, again.imported_spans) == (0, 2, 0)
    tasks = await client.tasks(parent)
    assert [task.external_id for task in tasks[2:]] == ["file-1#1", "file-1#2"]
    assert tasks[0].external_id.startswith("sha256:")
    longer = await client.load(parent, CONLL + b"\nnew\tO\n", source_name="file-1")
    assert (longer.imported_tasks, longer.unchanged_tasks) == (1, 2)


@pytest.mark.parametrize("encoding", [0, 2, 3])
async def test_json_lines_in_and_out(client: AnnotationClient, encoding: int) -> None:
    first = await client.project("p", "PER")
    report = await client.load(first, JSONL, source_name="s")
    assert (report.imported_tasks, report.imported_completions, report.refused_tasks) == (3, 2, 0)
    data, exported, omitted = await client.dump(first, offset_encoding=encoding)
    assert (exported, omitted) == (3, 0)
    second = await client.project("q", "PER")
    units = text_pb2.TextOffsetEncoding.Name(encoding)
    again = await client.load(second, data, offset_encoding=units)
    assert (again.imported_tasks, again.refused_tasks) == (3, 0)
    assert (await client.dump(second, offset_encoding=encoding))[0] == data
    start = 3 if encoding == 2 else 2
    assert json.loads(data.splitlines()[0])["spans"][0]["start"] == start
    ready = (await client.dump(first, status=TASK_STATUS_INCOMPLETE))[0]
    assert json.loads(ready) == {
        "id": "b",
        "text": "open",
        "split": "test",
        "metadata": {"k": "v"},
    }
    # CoNLL cannot say that a text is open.
    assert (await client.dump(first, format=pb.TASK_FORMAT_CONLL))[1] == 2


def line(id: str, text: str, **fields: object) -> bytes:
    return json.dumps({"id": id, "text": text, **fields}).encode() + b"\n"


async def test_another_text_with_a_taken_id_is_refused(client: AnnotationClient) -> None:
    parent = await client.project("p")
    same = line("a", "first") + line("a", "second", spans=[]) + line("b", "third")
    report = await client.load(parent, same)
    assert (report.imported_tasks, report.unchanged_tasks, report.refused_tasks) == (2, 0, 1)
    (error,) = report.errors
    assert (error.line, error.field, error.reason) == (2, "id", "RESOURCE_EXISTS")
    for options in ({"validate_only": True}, {"atomic": True}):
        report = await client.load(parent, line("a", "other") + line("c", "new"), **options)
        assert [one.line for one in report.errors] == [1]
        assert await client.count(parent) == 2
    # What only shows when it is stored undoes an atomic import too.
    report = await client.load(
        parent, line("x", "1") + line("y", "2") + line("x", "3"), atomic=True
    )
    assert (report.imported_tasks, [one.line for one in report.errors]) == (0, [3])
    assert await client.count(parent) == 2
    checked = await client.load(parent, line("a", "first") + line("d", "4"), validate_only=True)
    assert (checked.unchanged_tasks, checked.imported_tasks) == (1, 1)


async def test_what_an_import_does_not_add_to_a_known_text_is_told(
    client: AnnotationClient,
) -> None:
    parent = await client.project("p", "PER")
    ada = {"start": 0, "end": 3, "label": "PER"}
    await client.load(parent, line("a", "Ada") + line("b", "Bob"))
    annotated = line("a", "Ada", spans=[ada]) + line("b", "Bob")
    for _ in range(2):
        report = await client.load(parent, annotated, author="ann")
        assert (report.unchanged_tasks, report.imported_completions) == (2, 0)
        (note,) = report.warnings
        assert note.line == 1
        assert "'ann'" in note.message
    first, second = await client.tasks(parent)
    await client.complete(first.name, [(0, 3, "PER")], author="ann")
    await client.stub.DeleteTask(pb.DeleteTaskRequest(name=second.name))
    report = await client.load(parent, annotated, author="ann")
    assert [(one.line, "undelete" in one.message) for one in report.warnings] == [(2, True)]


async def test_a_second_star_is_left_out_with_a_note(client: AnnotationClient) -> None:
    parent = await client.project("p")
    star = {"spans": [], "ground_truth": True}
    text = line("a", "Ada", completions=[{**star, "author": "x"}, {**star, "author": "y"}])
    report = await client.load(parent, text)
    assert report.imported_completions == 2, report
    assert [note.message.partition(":")[0] for note in report.warnings] == ["ground truth"]
    (task,) = await client.tasks(parent)
    answer = await client.stub.ListCompletions(pb.ListCompletionsRequest(parent=task.name))
    assert [(one.author, one.ground_truth) for one in answer.completions] == [
        ("x", True),
        ("y", False),
    ]


async def test_texts_only(client: AnnotationClient) -> None:
    parent = await client.project("p")
    report = await client.load(parent, CONLL, ignore_completions=True)
    assert (report.imported_tasks, report.imported_completions) == (2, 0)
    assert {task.status for task in await client.tasks(parent)} == {TASK_STATUS_INCOMPLETE}


async def test_bad_lines_are_refused_one_by_one(client: AnnotationClient) -> None:
    parent = await client.project("p", "x")
    lines = [
        '{"text":"good"}',
        '{"text":"a","spans":[{"start":0,"end":2,"label":"x"}]}',
        '{"text":"a","spans":[{"start":0,"end":1,"label":"y"}]}',
        "no json",
        '{"text":"' + "x" * 70_000 + '"}',
        '{"text":"also good"}',
    ]
    report = await client.load(parent, "\n".join(lines).encode())
    assert (report.imported_tasks, report.refused_tasks) == (2, 4)
    assert [(error.line, error.reason, error.field) for error in report.errors] == [
        (2, "OFFSET_INVALID", "spans[0].end"),
        (3, "LABEL_UNKNOWN", "spans[0].label"),
        (4, "REQUEST_MALFORMED", ""),
        (5, "LINE_TOO_LONG", ""),
    ]
    broken = await client.load(
        parent, b"Ada\tB-y\n\nBob\nmet\tO\n\nCy\tO\n", format=pb.TASK_FORMAT_CONLL
    )
    assert (broken.imported_tasks, broken.refused_tasks) == (1, 2)
    assert [(error.line, error.reason) for error in broken.errors] == [
        (1, "LABEL_UNKNOWN"),
        (3, "FIELD_INVALID"),
    ]
    assert "tab" in broken.errors[1].message
    bulk = await client.load(parent, b"x\n\n" * 1_500, format=pb.TASK_FORMAT_CONLL)
    assert (bulk.refused_tasks, len(bulk.errors)) == (1_500, 1_000)


async def test_a_line_of_ten_megabytes(client: AnnotationClient) -> None:
    parent = await client.project("p")
    report = await client.load(
        parent, b"x" * 10_000_000, chunk=1024 * 1024, format=pb.TASK_FORMAT_JSONL
    )
    assert [(error.line, error.reason) for error in report.errors] == [(1, "LINE_TOO_LONG")]
    assert report.imported_tasks == 0


@pytest.mark.parametrize("data", [b"", b"\n \n\t\r\n", b"\xef\xbb\xbf", b"-DOCSTART- O\n\n"])
async def test_files_without_a_text(client: AnnotationClient, data: bytes) -> None:
    parent = await client.project("p")
    with refused(INVALID, Reason.IMPORT_EMPTY):
        await client.load(parent, data)


async def test_bad_import_streams(client: AnnotationClient) -> None:
    parent = await client.project("p")
    header = pb.ImportTasksRequest(header=pb.ImportTasksHeader(parent=parent))
    chunk = pb.ImportTasksRequest(chunk=CONLL)
    for messages, reason, field in (
        ([], Reason.FIELD_INVALID, "header"),
        ([chunk], Reason.FIELD_INVALID, "header"),
        ([header, header], Reason.FIELD_INVALID, "chunk"),
        ([header, pb.ImportTasksRequest()], Reason.FIELD_INVALID, "chunk"),
        ([header, pb.ImportTasksRequest(chunk=b"x" * (2**20 + 1))], Reason.REQUEST_TOO_LARGE, ""),
    ):
        with refused(INVALID, reason, field=field):
            await client.stub.ImportTasks(iter(messages))
    for field, fields in (
        ("header.parent", {"parent": "p"}),
        ("header.format", {"format": 99}),
        ("header.split", {"split": 9}),
        ("header.offset_encoding", {"offset_encoding": 9}),
        ("header.author", {"author": "a" * 201}),
        ("header.source_name", {"source_name": "a" * 181}),
    ):
        with refused(INVALID, Reason.FIELD_INVALID, field=field):
            first = pb.ImportTasksRequest(
                header=pb.ImportTasksHeader(**{"parent": parent} | fields)
            )
            await client.stub.ImportTasks(iter([first, chunk]))
    with refused(grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
        await client.load("projects/none", CONLL)
    assert await client.tasks(parent) == []


async def test_a_file_beyond_the_limit(tmp_path: Path) -> None:
    async with annotation(tmp_path, import_max_bytes=1024 * 1024) as client:
        parent = await client.project("p")
        with refused(INVALID, Reason.REQUEST_TOO_LARGE):
            await client.load(parent, b"x\tO\n" * 300_000)


async def test_bad_exports(client: AnnotationClient) -> None:
    parent = await client.project("p")
    with refused(INVALID, Reason.FIELD_INVALID, field="format"):
        await client.dump(parent, format=99)
    with refused(INVALID, Reason.FIELD_INVALID, field="status"):
        await client.dump(parent, status=9)
    with refused(grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
        await client.dump("projects/none")
    assert await client.dump(parent) == (b"", 0, 0)


async def test_real_conll_data(client: AnnotationClient) -> None:
    file = DATA / "wnut17" / "train.conll"
    if not file.exists():
        pytest.skip(f"no {file.name} below SPANLOOP_TEST_DATA")
    parent = await client.project("wnut")
    started = time.monotonic()
    report = await client.load(parent, file.read_bytes(), create_labels=True)
    took = time.monotonic() - started
    assert (report.imported_tasks, report.refused_tasks) == (3_394, 0)
    assert took < 15, f"{took:.1f} s, about 1.4 s on two idle cores"
    data, exported, omitted = await client.dump(parent, format=pb.TASK_FORMAT_CONLL)
    assert (exported, omitted) == (3_394, 0)
    again = await client.load(await client.project("again"), data, create_labels=True)
    assert again.imported_spans == report.imported_spans
