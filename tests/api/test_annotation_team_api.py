"""What a team does beyond annotating: correct, review, star, delete, restore, look back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from services.common.errors import Reason
from spanloop.annotation.v1 import annotation_service_pb2 as pb
from spanloop.annotation.v1 import completion_pb2, history_service_pb2, selection_pb2, snapshot_pb2
from spanloop.annotation.v1.completion_pb2 import Completion
from spanloop.annotation.v1.label_pb2 import Label
from spanloop.annotation.v1.project_pb2 import TIE_BREAK_HIGHEST_PRIORITY, Project
from spanloop.annotation.v1.task_pb2 import Page, Task, TaskStatus
from spanloop.common.v1 import text_pb2
from spanloop.common.v1.text_pb2 import Span, TextRange
from tests.support.annotation import AnnotationClient, annotation, kind, refused

INVALID = grpc.StatusCode.INVALID_ARGUMENT
FAILED = grpc.StatusCode.FAILED_PRECONDITION
NOT_FOUND = grpc.StatusCode.NOT_FOUND


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[AnnotationClient]:
    async with annotation(tmp_path) as client:
        yield client


async def review(
    client: AnnotationClient, name: str, verdict: str, comment: str = "", etag: str = ""
) -> Completion:
    request = pb.ReviewCompletionRequest(
        name=name, verdict=f"VERDICT_{verdict}", comment=comment, reviewer="rev", etag=etag
    )
    return (await client.stub.ReviewCompletion(request)).completion


async def status(client: AnnotationClient, task: str) -> str:
    found = (await client.stub.GetTask(pb.GetTaskRequest(name=task))).task
    return TaskStatus.Name(found.status).removeprefix("TASK_STATUS_")


async def update(client: AnnotationClient, wanted: Completion, *paths: str) -> Completion:
    request = pb.UpdateCompletionRequest(completion=wanted)
    request.update_mask.paths.extend(paths)
    return (await client.stub.UpdateCompletion(request)).completion


async def test_everything_that_a_completion_can_say(client: AnnotationClient) -> None:
    parent = await client.project("p", "X", "Y")
    text = "no 👩‍👩‍👧 pain in the left and right knee"
    task = await client.task(parent, text, pages=[Page(image="s3://b/p1.png", width=10, height=20)])
    encoding = text_pb2.TEXT_OFFSET_ENCODING_UTF16
    units = len("no 👩‍👩‍👧 ".encode("utf-16-le")) // 2
    sent = Completion(
        author="ann",
        spans=[
            Span(start=units, end=units + 4, label="X", id="pain", assertion="absent"),
            Span(
                start=units + 12,
                end=units + 31,
                label="Y",
                attributes={"side": "left"},
                fragments=[
                    TextRange(start=units + 12, end=units + 16),
                    TextRange(start=units + 27, end=units + 31),
                ],
            ),
            Span(start=units, end=units + 31, label="Y"),
        ],
        choices=[completion_pb2.Choice(name="urgency", values=["low", "none"])],
        relations=[
            completion_pb2.Relation(
                source="pain",
                target="r1",
                labels=["at"],
                direction=completion_pb2.RELATION_DIRECTION_BOTH,
            )
        ],
        regions=[completion_pb2.Region(x=1.5, y=2, width=3, height=4, labels=["X"], text="pain")],
        extra='{"label_studio": {"a": 1}}',
        lead_time_seconds=12.5,
    )
    request = pb.CreateCompletionRequest(
        parent=task.name, completion=sent, offset_encoding=encoding
    )
    made = (await client.stub.CreateCompletion(request)).completion
    by_id = {span.id: span for span in made.spans}
    assert by_id["pain"].assertion == "absent"
    assert (by_id["pain"].start, by_id["pain"].end) == (units, units + 4)
    pieces = next(span for span in made.spans if span.fragments)
    assert [(one.start, one.end) for one in pieces.fragments] == [
        (units + 12, units + 16),
        (units + 27, units + 31),
    ]
    assert dict(pieces.attributes) == {"side": "left"}
    assert made.choices == sent.choices
    assert made.relations == sent.relations
    assert made.regions[0].id == "r1"
    assert (made.extra, made.lead_time_seconds) == (sent.extra, 12.5)
    read = await client.stub.GetCompletion(
        pb.GetCompletionRequest(name=made.name, offset_encoding=encoding)
    )
    assert read.completion == made
    points = (await client.stub.GetCompletion(pb.GetCompletionRequest(name=made.name))).completion
    found = next(span for span in points.spans if span.id == "pain")
    assert text[found.start : found.end] == "pain"

    # Replacing the spans keeps the rest, and may not tear a relation.
    changed = Completion(name=made.name, spans=[Span(start=0, end=2, label="X", id="pain")])
    after = await update(client, changed, "spans")
    assert (len(after.spans), after.relations, after.choices) == (1, made.relations, made.choices)
    with refused(INVALID, Reason.FIELD_INVALID, field="completion.spans"):
        await update(client, Completion(name=made.name), "spans")
    with refused(INVALID, Reason.FIELD_INVALID, field="completion.relations[0].target"):
        torn = Completion(
            name=made.name, relations=[completion_pb2.Relation(source="pain", target="none")]
        )
        await update(client, torn, "relations")
    assert (await update(client, Completion(name=made.name), "spans", "relations")).spans == []


@pytest.mark.parametrize(
    ("bad", "field", "reason"),
    [
        (
            {"spans": [Span(start=0, end=4, label="X", fragments=[TextRange(start=0, end=4)])]},
            "completion.spans[0].fragments",
            Reason.FIELD_INVALID,
        ),
        (
            {
                "spans": [
                    Span(
                        start=0,
                        end=4,
                        label="X",
                        fragments=[TextRange(start=0, end=2), TextRange(start=2, end=4)],
                    )
                ]
            },
            "completion.spans[0].fragments[1].start",
            Reason.OFFSET_INVALID,
        ),
        (
            {
                "spans": [
                    Span(
                        start=0,
                        end=5,
                        label="X",
                        fragments=[TextRange(start=0, end=1), TextRange(start=2, end=4)],
                    )
                ]
            },
            "completion.spans[0].fragments",
            Reason.OFFSET_INVALID,
        ),
        (
            {"choices": [completion_pb2.Choice(name="a", values=["x", "x"])]},
            "completion.choices[0].values",
            Reason.FIELD_INVALID,
        ),
        (
            {"regions": [completion_pb2.Region(width=1, height=1)]},
            "completion.regions[0]",
            Reason.FIELD_INVALID,
        ),
        ({"extra": "[1]"}, "completion.extra", Reason.FIELD_INVALID),
        ({"lead_time_seconds": -1}, "completion.lead_time_seconds", Reason.FIELD_INVALID),
    ],
)
async def test_contents_that_are_refused(
    client: AnnotationClient, bad: dict[str, object], field: str, reason: Reason
) -> None:
    parent = await client.project("p", "X")
    task = await client.task(parent, "abcdef")
    with refused(INVALID, reason, field=field):
        await client.stub.CreateCompletion(
            pb.CreateCompletionRequest(parent=task.name, completion=Completion(author="a", **bad))
        )


async def test_the_review_of_a_completion(client: AnnotationClient) -> None:
    parent = await client.project("p", "X")
    task = await client.task(parent, "Ada")
    draft = await client.complete(task.name, submit=False)
    with refused(FAILED, Reason.STATE_CONFLICT):
        await review(client, draft.name, "ACCEPT")
    await client.stub.SubmitCompletion(pb.SubmitCompletionRequest(name=draft.name))
    assert await status(client, task.name) == "SUBMITTED"
    with refused(INVALID, Reason.FIELD_INVALID, field="verdict"):
        await review(client, draft.name, "UNSPECIFIED")
    accepted = await review(client, draft.name, "ACCEPT", "well done")
    assert accepted.state == completion_pb2.COMPLETION_STATE_ACCEPTED
    assert (accepted.review.reviewer, accepted.review.comment) == ("rev", "well done")
    assert await status(client, task.name) == "REVIEWED"
    with refused(grpc.StatusCode.ABORTED, Reason.ETAG_MISMATCH):
        await review(client, draft.name, "REJECT", etag=draft.etag)
    starred = (
        await client.stub.StarCompletion(pb.StarCompletionRequest(name=draft.name))
    ).completion
    assert starred.ground_truth
    rejected = await review(client, draft.name, "REJECT", "wrong span")
    assert not rejected.ground_truth  # rejection takes the star
    assert await status(client, task.name) == "TO_CORRECT"
    with refused(FAILED, Reason.STATE_CONFLICT):
        await client.stub.StarCompletion(pb.StarCompletionRequest(name=draft.name))
    # The author corrects and hands in again.
    await update(
        client, Completion(name=draft.name, spans=[Span(start=0, end=3, label="X")]), "spans"
    )
    again = await client.stub.SubmitCompletion(pb.SubmitCompletionRequest(name=draft.name))
    assert again.completion.state == completion_pb2.COMPLETION_STATE_SUBMITTED
    assert not again.completion.HasField("review")
    # What is edited after its review is not reviewed any more.
    await review(client, draft.name, "ACCEPT")
    edited = await update(client, Completion(name=draft.name), "spans")
    assert edited.state == completion_pb2.COMPLETION_STATE_SUBMITTED
    await review(client, draft.name, "ACCEPT")
    withdrawn = await review(client, draft.name, "WITHDRAW")
    assert withdrawn.state == completion_pb2.COMPLETION_STATE_SUBMITTED


async def test_one_star_per_task(client: AnnotationClient) -> None:
    parent = await client.project("p", "X")
    task = await client.task(parent, "Ada")
    first = await client.complete(task.name)
    second = await client.complete(task.name, author="bob")
    for name in (first.name, second.name, second.name):
        await client.stub.StarCompletion(pb.StarCompletionRequest(name=name))
    listed = await client.stub.ListCompletions(pb.ListCompletionsRequest(parent=task.name))
    assert [one.ground_truth for one in listed.completions] == [False, True]
    wanted = selection_pb2.TaskFilter(ground_truth=True)
    assert len(await client.tasks(parent, filter=wanted)) == 1
    await client.stub.StarCompletion(pb.StarCompletionRequest(name=second.name, unstar=True))
    assert await client.tasks(parent, filter=wanted) == []


async def test_deleted_completions_and_tasks_come_back(client: AnnotationClient) -> None:
    parent = await client.project("p", "X")
    task = await client.task(parent, "Ada", tags=["Train"])
    made = await client.complete(task.name, [(0, 3, "X")])
    await client.stub.DeleteCompletion(pb.DeleteCompletionRequest(name=made.name))
    assert await status(client, task.name) == "INCOMPLETE"
    with refused(FAILED, Reason.STATE_CONFLICT):
        await client.stub.DeleteCompletion(pb.DeleteCompletionRequest(name=made.name))
    with refused(FAILED, Reason.STATE_CONFLICT):
        await update(client, Completion(name=made.name), "spans")
    request = pb.ListCompletionsRequest(parent=task.name)
    assert (await client.stub.ListCompletions(request)).completions == []
    request.show_deleted = True
    assert len((await client.stub.ListCompletions(request)).completions) == 1
    await client.stub.UndeleteCompletion(pb.UndeleteCompletionRequest(name=made.name))
    with refused(FAILED, Reason.STATE_CONFLICT):
        await client.stub.UndeleteCompletion(pb.UndeleteCompletionRequest(name=made.name))
    assert await status(client, task.name) == "SUBMITTED"

    with refused(FAILED, Reason.STATE_CONFLICT):
        await client.stub.PurgeTask(pb.PurgeTaskRequest(name=task.name))
    await client.stub.DeleteTask(pb.DeleteTaskRequest(name=task.name))
    assert await client.tasks(parent) == []
    assert [one.name for one in await client.tasks(parent, deleted=True)] == [task.name]
    assert await client.count(parent) == 0
    with refused(FAILED, Reason.NO_TRAINING_DATA):
        await client.stub.CreateSnapshot(pb.CreateSnapshotRequest(parent=parent))
    with refused(FAILED, Reason.STATE_CONFLICT):
        await client.complete(task.name)
    await client.stub.UndeleteTask(pb.UndeleteTaskRequest(name=task.name))
    assert [one.tags for one in await client.tasks(parent)] == [["Train"]]


async def test_a_purged_task_leaves_nothing_but_that_it_was_purged(
    client: AnnotationClient,
) -> None:
    parent = await client.project("p", "X")
    task = await client.task(parent, "a secret")
    made = await client.complete(task.name, [(0, 1, "X")])
    await update(client, Completion(name=made.name), "spans")
    await client.stub.DeleteTask(pb.DeleteTaskRequest(name=task.name))
    await client.stub.PurgeTask(pb.PurgeTaskRequest(name=task.name))
    with refused(NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
        await client.stub.GetTask(pb.GetTaskRequest(name=task.name))
    with refused(NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
        await client.history.ListRevisions(history_service_pb2.ListRevisionsRequest(name=made.name))
    with refused(NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
        await client.stub.PurgeTask(pb.PurgeTaskRequest(name=task.name))
    entries = (
        await client.history.ListAuditEntries(
            history_service_pb2.ListAuditEntriesRequest(parent=parent)
        )
    ).entries
    assert [kind(entry) for entry in entries][-2:] == ["TASK_DELETED", "TASK_PURGED"]
    assert len({entry.sequence for entry in entries}) == len(entries)


async def test_history_shows_what_was_and_brings_it_back(client: AnnotationClient) -> None:
    parent = await client.project("p", "X", "Y")
    task = await client.task(parent, "abc")
    made = await client.complete(task.name, [(0, 1, "X")], submit=False)
    await update(
        client, Completion(name=made.name, spans=[Span(start=1, end=2, label="Y")]), "spans"
    )
    await client.stub.SubmitCompletion(pb.SubmitCompletionRequest(name=made.name))

    async def revisions(name: str, size: int = 0, page: str = "") -> object:
        request = history_service_pb2.ListRevisionsRequest(
            name=name, page_size=size, page_token=page
        )
        return await client.history.ListRevisions(request)

    found = (await revisions(made.name)).revisions
    assert [(one.version, one.completion.spans[0].label) for one in found] == [(2, "Y"), (1, "X")]
    assert [one.actor for one in found] == ["system", "system"]
    # The audit counts as the history does, and knows each change as soon as it is acknowledged.
    audit = await client.history.ListAuditEntries(
        history_service_pb2.ListAuditEntriesRequest(parent=parent, resource=made.name)
    )
    assert [(kind(one), one.version) for one in audit.entries] == [
        ("COMPLETION_CREATED", 1),
        ("COMPLETION_UPDATED", 2),
        ("COMPLETION_SUBMITTED", 3),
    ]
    first = await revisions(made.name, 1)
    second = await revisions(made.name, 1, first.next_page_token)
    assert [*first.revisions, *second.revisions] == list(found)
    back = await client.history.RestoreRevision(
        history_service_pb2.RestoreRevisionRequest(name=made.name, version=1)
    )
    assert [(span.start, span.label) for span in back.completion.spans] == [(0, "X")]
    assert back.completion.state == completion_pb2.COMPLETION_STATE_SUBMITTED
    with refused(INVALID, Reason.FIELD_INVALID, field="version"):
        await client.history.RestoreRevision(
            history_service_pb2.RestoreRevisionRequest(name=made.name, version=99)
        )
    assert len((await revisions(made.name)).revisions) == 3

    request = pb.UpdateTaskRequest(task=Task(name=task.name, tags=["b", "a", "b"], group="doc"))
    request.update_mask.paths.extend(["tags", "group"])
    changed = (await client.stub.UpdateTask(request)).task
    assert (changed.tags, changed.group) == (["a", "b"], "doc")
    (before,) = (await revisions(task.name)).revisions
    assert (before.task.tags, before.task.group) == ([], "")
    entries = await client.history.ListAuditEntries(
        history_service_pb2.ListAuditEntriesRequest(parent=parent, resource=made.name)
    )
    assert [kind(one) for one in entries.entries] == [
        "COMPLETION_CREATED",
        "COMPLETION_UPDATED",
        "COMPLETION_SUBMITTED",
        "COMPLETION_RESTORED",
    ]
    assert [one.version for one in entries.entries] == [1, 2, 3, 4]


async def test_tags_and_filters(client: AnnotationClient) -> None:
    parent = await client.project("p", "X", "Y")
    names = {}
    for number, (text, tags) in enumerate(
        [
            ("Ada wrote", ["Train"]),
            ("Bob read", ["Train", "hard"]),
            ("Cy slept", ["Test"]),
            ("Di", []),
        ]
    ):
        names[text[:2]] = (await client.task(parent, text, f"e{number}", tags=tags)).name
    await client.complete(names["Ad"], [(0, 3, "X")], author="ann")
    await client.complete(names["Bo"], [(0, 3, "Y")], author="bob")
    await client.complete(names["Bo"], [(0, 3, "X")], author="ann")

    async def found(**wanted: object) -> str:
        tasks = await client.tasks(parent, filter=selection_pb2.TaskFilter(**wanted))
        return " ".join(task.text[:2] for task in tasks)

    assert await found() == "Ad Bo Cy Di"
    assert await found(tags_any=["hard", "Test"]) == "Bo Cy"
    assert await found(tags_all=["hard", "Train"]) == "Bo"
    assert await found(tags_none=["Train"]) == "Cy Di"
    assert await found(labels_any=["X", "Y"]) == "Ad Bo"
    assert await found(labels_all=["X", "Y"]) == "Bo"
    assert await found(authors=["bob"]) == "Bo"
    assert await found(text_regex="^[AC].* [ws]") == "Ad Cy"
    assert await found(statuses=["TASK_STATUS_SUBMITTED"], tags_any=["Train"]) == "Ad Bo"
    assert await found(statuses=["TASK_STATUS_INCOMPLETE", "TASK_STATUS_REVIEWED"]) == "Cy Di"
    third = (await client.stub.GetTask(pb.GetTaskRequest(name=names["Cy"]))).task
    assert await found(created_from=third.create_time) == "Cy Di"
    assert await found(created_before=third.create_time) == "Ad Bo"
    snapshot = (
        await client.stub.CreateSnapshot(pb.CreateSnapshotRequest(parent=parent))
    ).snapshot.name
    assert await found(in_snapshot=snapshot) == "Ad Bo"
    assert await found(not_in_snapshot=snapshot) == "Cy Di"
    with refused(INVALID, Reason.FIELD_INVALID, field="filter.in_snapshot"):
        await found(in_snapshot=f"{parent}/snapshots/none")
    with refused(INVALID, Reason.FIELD_INVALID, field="filter.text_regex"):
        await found(text_regex="(")
    tagged = await client.stub.TagTasks(
        pb.TagTasksRequest(
            parent=parent, tasks=[names["Ad"], names["Di"]], add=["hard"], remove=["Train"]
        )
    )
    assert tagged.changed == 2
    assert await found(tags_any=["hard"]) == "Ad Bo Di"
    assert await found(tags_any=["Train"]) == "Bo"
    with refused(NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
        await client.stub.TagTasks(
            pb.TagTasksRequest(parent=parent, tasks=[f"{parent}/tasks/none"], add=["x"])
        )
    # Pages of a filter that the store cannot look up go on where they were.
    request = pb.ListTasksRequest(
        parent=parent, page_size=1, filter=selection_pb2.TaskFilter(text_regex="e|i")
    )
    seen = []
    while True:
        answer = await client.stub.ListTasks(request)
        seen += [task.text[:2] for task in answer.tasks]
        if not answer.next_page_token:
            break
        request.page_token = answer.next_page_token
    assert seen == ["Ad", "Bo", "Cy", "Di"]


async def test_selection_is_explained_and_frozen(client: AnnotationClient) -> None:
    parent = await client.project("p", "X")
    both = await client.task(parent, "both", tags=["Train"])
    older = await client.complete(both.name, author="high")
    newer = await client.complete(both.name, author="low")
    other = await client.task(parent, "other", tags=["Test"])
    accepted = await client.complete(other.name)
    await review(client, accepted.name, "ACCEPT")
    await client.task(parent, "open")

    async def taken(**selection: object) -> dict[str, str]:
        request = pb.PreviewSelectionRequest(
            parent=parent, selection=selection_pb2.Selection(**selection)
        )
        answer = await client.stub.PreviewSelection(request)
        return {
            one.completion: selection_pb2.SelectionReason.Name(one.reason).removeprefix(
                "SELECTION_REASON_"
            )
            for decision in answer.decisions
            for one in decision.completions
            if one.taken
        }

    assert await taken() == {newer.name: "MOST_RECENT", accepted.name: "ACCEPTED"}
    assert await taken(reviewed_only=True) == {accepted.name: "ACCEPTED"}
    assert await taken(filter={"tags_any": ["Train"]}) == {newer.name: "MOST_RECENT"}
    from spanloop.annotation.v1 import member_service_pb2 as members

    for user, priority in (("high", 9), ("low", 1)):
        await client.members.CreateMember(
            members.CreateMemberRequest(
                parent=parent,
                member=members.Member(user=user, roles=[members.ROLE_ANNOTATOR], priority=priority),
            )
        )
    by_priority = {older.name: "HIGHEST_PRIORITY", accepted.name: "ACCEPTED"}
    assert await taken(tie_break=TIE_BREAK_HIGHEST_PRIORITY) == by_priority
    request = pb.UpdateProjectRequest(
        project=Project(name=parent, tie_break=TIE_BREAK_HIGHEST_PRIORITY)
    )
    request.update_mask.paths.append("tie_break")
    await client.stub.UpdateProject(request)
    assert await taken() == by_priority

    by_tags = snapshot_pb2.SplitPolicy(by_tags=snapshot_pb2.SplitPolicy.ByTags())
    snapshot = (
        await client.stub.CreateSnapshot(
            pb.CreateSnapshotRequest(parent=parent, split_policy=by_tags, description="first")
        )
    ).snapshot
    examples = await client.examples(snapshot.name)
    assert {one.completion for one in examples} == {older.name, accepted.name}
    assert dict(snapshot.example_counts) == {"train": 1, "dev": 0, "test": 1}
    assert snapshot.selection.tie_break == TIE_BREAK_HIGHEST_PRIORITY
    assert snapshot.description == "first"

    # What changes afterwards is told by a comparison.
    await update(
        client, Completion(name=older.name, spans=[Span(start=0, end=4, label="X")]), "spans"
    )
    fresh = await client.task(parent, "fresh", tags=["Train"])
    await client.complete(fresh.name)
    await client.stub.DeleteTask(pb.DeleteTaskRequest(name=other.name))
    target = (
        await client.stub.CreateSnapshot(
            pb.CreateSnapshotRequest(parent=parent, split_policy=by_tags)
        )
    ).snapshot
    assert target.content_hash != snapshot.content_hash
    parts = [
        part
        async for part in client.stub.DiffSnapshots(
            pb.DiffSnapshotsRequest(base=snapshot.name, target=target.name)
        )
    ]
    changes = {
        one.task: pb.SnapshotChange.Name(one.change).removeprefix("SNAPSHOT_CHANGE_")
        for part in parts
        for one in part.differences
    }
    assert changes == {both.name: "CHANGED", fresh.name: "ADDED", other.name: "REMOVED"}
    summary = parts[-1].summary
    assert (summary.added, summary.removed, summary.changed, summary.unchanged) == (1, 1, 1, 0)


async def test_labels_are_renamed_linked_and_counted(client: AnnotationClient) -> None:
    parent = await client.project("p")
    person = await client.label(parent, "Person")
    request = pb.CreateLabelRequest(parent=parent, label=Label(value="Party", inherits=["Person"]))
    party = (await client.stub.CreateLabel(request)).label
    assert party.positives == ["Party", "Person"]
    alias = (
        await client.stub.CreateLabel(
            pb.CreateLabelRequest(parent=parent, label=Label(value="Human", alias_as="Person"))
        )
    ).label
    task = await client.task(parent, "Ada Bob Cy")
    await client.complete(task.name, [(0, 3, "Human"), (4, 7, "Party")])

    async def change(label: Label, *paths: str) -> Label:
        request = pb.UpdateLabelRequest(label=label)
        request.update_mask.paths.extend(paths)
        return (await client.stub.UpdateLabel(request)).label

    with refused(INVALID, Reason.FIELD_INVALID, field="label.inherits"):
        await change(Label(name=person.name, inherits=["Party"]), "inherits")
    renamed = await change(Label(name=alias.name, value="People"), "value")
    assert (renamed.value, renamed.former_values) == ("People", ["Human"])
    listed = await client.stub.ListCompletions(pb.ListCompletionsRequest(parent=task.name))
    assert [span.label for span in listed.completions[0].spans] == ["People", "Party"]
    with refused(grpc.StatusCode.ALREADY_EXISTS, Reason.RESOURCE_EXISTS):
        await client.label(parent, "Human")  # stays reserved
    # A client that knows the former name only still can write.
    other = await client.task(parent, "Di")
    made = await client.complete(other.name, [(0, 2, "Human")])
    assert made.spans[0].label == "People"
    wanted = selection_pb2.TaskFilter(labels_any=["Human"])
    assert len(await client.tasks(parent, filter=wanted)) == 2
    counted = (await client.stub.CountLabels(pb.CountLabelsRequest(parent=parent))).labels
    assert [(one.value, one.span_count, one.task_count) for one in counted] == [
        ("Person", 0, 0),
        ("Party", 1, 1),
        ("People", 2, 2),
    ]
    snapshot = (await client.stub.CreateSnapshot(pb.CreateSnapshotRequest(parent=parent))).snapshot
    assert snapshot.labels == ["Party", "Person"]
    assert snapshot.positives["Party"].values == ["Party", "People", "Person"]
    assert dict(snapshot.span_counts) == {"Party": 3, "Person": 2}
