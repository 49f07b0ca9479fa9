"""Predictions, snapshots and the event stream over the real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from grpc import aio

from services.annotation.bootstrap import build
from services.common.errors import Reason
from services.common.grpc_status import received_error
from services.common.server import serve
from spanloop.annotation.v1 import annotation_service_pb2 as pb
from spanloop.annotation.v1.completion_pb2 import Completion
from spanloop.annotation.v1.prediction_pb2 import Prediction, PredictionSignals
from spanloop.annotation.v1.snapshot_pb2 import SplitPolicy
from spanloop.common.v1 import evaluation_pb2
from spanloop.common.v1.text_pb2 import ScoredSpan
from tests.support import client_channel
from tests.support.annotation import (
    AnnotationClient,
    annotation,
    annotation_settings,
    kind,
    refused,
)

INVALID = grpc.StatusCode.INVALID_ARGUMENT
TRAIN, DEV, TEST = (
    evaluation_pb2.SPLIT_TRAIN,
    evaluation_pb2.SPLIT_DEV,
    evaluation_pb2.SPLIT_TEST,
)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[AnnotationClient]:
    async with annotation(tmp_path) as client:
        yield client


def lines(count: int, *, first: int = 0) -> bytes:
    return b"".join(b"word%d\tB-x\n\n" % number for number in range(first, first + count))


def prediction(task: str, *spans: ScoredSpan, **fields: object) -> Prediction:
    given = {"generation": "generations/g1", "adapters": {"x": "sha256:1"}}
    return Prediction(task=task, spans=spans, **{**given, **fields})


# --- predictions


async def test_predictions_are_written_once_per_task_and_generation(
    client: AnnotationClient,
) -> None:
    parent = await client.project("p", "x")
    tasks = [await client.task(parent, text) for text in ("Ö Ada", "Bob")]

    async def write(*predictions: Prediction) -> tuple[int, int]:
        request = pb.WritePredictionsRequest(parent=parent, predictions=predictions)
        answer = await client.stub.WritePredictions(request)
        return answer.written, answer.unchanged

    span = ScoredSpan(start=2, end=5, label="x", score=0.75)
    first = prediction(tasks[0].name, span, model_versions={"x": "projects/p/v1"})
    assert await write(first, prediction(tasks[1].name)) == (2, 0)
    assert await write(first, prediction(tasks[1].name, generation="generations/g2")) == (1, 1)
    assert await write(first, first) == (0, 2)

    async def listed(parent: str, **fields: object) -> list[Prediction]:
        request = pb.ListPredictionsRequest(parent=parent, **fields)
        return list((await client.stub.ListPredictions(request)).predictions)

    (found,) = await listed(tasks[0].name)
    assert (found.task, found.generation) == (tasks[0].name, "generations/g1")
    assert (dict(found.adapters), list(found.spans)) == ({"x": "sha256:1"}, [span])
    assert dict(found.model_versions) == {"x": "projects/p/v1"}
    assert found.name.startswith(f"{tasks[0].name}/predictions/")
    assert len(await listed(f"{parent}/tasks/-")) == 3
    assert len(await listed(f"{parent}/tasks/-", generation="generations/g2")) == 1
    (in_bytes,) = await listed(tasks[0].name, offset_encoding=2)
    assert (in_bytes.spans[0].start, in_bytes.spans[0].end) == (3, 6)
    copied = pb.CreateCompletionRequest(
        parent=tasks[0].name, completion=Completion(author="a", copied_from=found.name)
    )
    made = (await client.stub.CreateCompletion(copied)).completion
    assert made.copied_from == found.name
    events = await client.events(parent, 8)
    assert [kind(event) for event in events].count("PREDICTION_WRITTEN") == 3
    with refused(grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
        await listed(f"{parent}/tasks/none")


async def test_a_prediction_of_other_adapters_replaces_the_one_of_that_generation(
    client: AnnotationClient,
) -> None:
    """A registry restored to an older state counts the same revisions again."""
    parent = await client.project("p", "x", "y")
    first, other = [(await client.task(parent, text)).name for text in ("Ada", "Bob")]

    async def write(*predictions: Prediction) -> tuple[int, int]:
        request = pb.WritePredictionsRequest(parent=parent, predictions=predictions)
        answer = await client.stub.WritePredictions(request)
        return answer.written, answer.unchanged

    async def listed(*tasks: str, **fields: object) -> list[Prediction]:
        request = pb.ListPredictionsRequest(parent=f"{parent}/tasks/-", tasks=tasks, **fields)
        return list((await client.stub.ListPredictions(request)).predictions)

    span = ScoredSpan(start=0, end=3, label="x", score=0.75)
    sure = PredictionSignals(margin=0.5)
    before = prediction(
        first, span, adapters={"x": "1", "y": "1"}, assertion_adapter="1", signals=sure
    )
    assert await write(before, prediction(other)) == (2, 0)
    assert await write(prediction(first, generation="generations/g2")) == (1, 0)
    # It says less, and nothing else: a job for one label after one for all.
    assert await write(prediction(first, adapters={"x": "1"})) == (0, 1)
    anew = prediction(first, adapters={"x": "2"}, model_versions={"x": "projects/p/v2"})
    assert await write(anew) == (1, 0)
    assert await write(anew) == (0, 1)
    # It says more: a job for all labels after one for some.
    more = prediction(first, span, adapters={"x": "2", "y": "2"})
    assert await write(more) == (1, 0)

    # What was written last comes last.
    of_g2, of_g1 = await listed(first)
    assert (of_g1.generation, of_g2.generation) == ("generations/g1", "generations/g2")
    assert dict(of_g1.adapters) == {"x": "2", "y": "2"}
    assert (of_g1.assertion_adapter, of_g1.HasField("signals")) == ("", False)
    (source,) = await listed(first, generation="generations/g1", sources_only=True)
    assert (dict(source.adapters), list(source.spans)) == (dict(of_g1.adapters), [])
    assert {one.task for one in await listed(other, first)} == {first, other}
    events = await client.events(parent, 10)
    assert [kind(event) for event in events].count("PREDICTION_WRITTEN") == 5
    with refused(INVALID, Reason.FIELD_INVALID, field="tasks[0]"):
        await listed("projects/q/tasks/t")
    with refused(INVALID, Reason.FIELD_INVALID, field="tasks"):
        await client.stub.ListPredictions(pb.ListPredictionsRequest(parent=first, tasks=[first]))


async def test_refused_predictions_store_nothing(client: AnnotationClient) -> None:
    parent = await client.project("p", "x")
    task = (await client.task(parent, "Ada")).name

    async def write(*predictions: Prediction) -> None:
        request = pb.WritePredictionsRequest(parent=parent, predictions=predictions)
        await client.stub.WritePredictions(request)

    def one(start: int, end: int, label: str = "x", score: float = 0.5) -> Prediction:
        return prediction(task, ScoredSpan(start=start, end=end, label=label, score=score))

    good = prediction(task)
    for bad, reason, field in (
        (one(0, 4), Reason.OFFSET_INVALID, "predictions[1].spans[0].end"),
        (one(2, 1), Reason.OFFSET_INVALID, "predictions[1].spans[0].end"),
        (one(0, 1, score=1.5), Reason.FIELD_INVALID, "predictions[1].spans[0].score"),
        (one(0, 1, score=float("nan")), Reason.FIELD_INVALID, "predictions[1].spans[0].score"),
        (one(0, 1, label="y"), Reason.LABEL_UNKNOWN, "predictions[1].spans[0].label"),
        (prediction(task, generation=""), Reason.FIELD_INVALID, "predictions[1].generation"),
        (prediction(task, adapters={}), Reason.FIELD_INVALID, "predictions[1].adapters"),
        (prediction("nonsense"), Reason.FIELD_INVALID, "predictions[1].task"),
        (prediction("projects/q/tasks/t"), Reason.FIELD_INVALID, "predictions[1].task"),
    ):
        with refused(INVALID, reason, field=field):
            await write(good, bad)
    with refused(grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
        await write(good, prediction(f"{parent}/tasks/none"))
    with refused(INVALID, Reason.FIELD_INVALID, field="predictions"):
        await write()
    with refused(INVALID, Reason.FIELD_INVALID, field="predictions"):
        await write(*[good] * 1_001)
    answer = await client.stub.ListPredictions(pb.ListPredictionsRequest(parent=task))
    assert not answer.predictions


# --- snapshots


async def take(client: AnnotationClient, parent: str, policy: SplitPolicy | None = None) -> object:
    request = pb.CreateSnapshotRequest(parent=parent, split_policy=policy)
    return (await client.stub.CreateSnapshot(request)).snapshot


async def test_a_snapshot_never_changes(client: AnnotationClient) -> None:
    parent = await client.project("p", "x", "unused")
    await client.load(parent, lines(20))
    task = (await client.tasks(parent))[0]
    snapshot = await take(client, parent)
    assert dict(snapshot.example_counts) == {"train": 16, "dev": 2, "test": 2}
    assert dict(snapshot.span_counts) == {"x": 20, "unused": 0}
    assert list(snapshot.labels) == ["unused", "x"]
    assert snapshot.split_policy.ratios.train == 0.8
    before = await client.examples(snapshot.name)
    await client.complete(task.name)  # now the one submitted last, without spans
    await client.load(parent, lines(5, first=20))
    assert await client.examples(snapshot.name) == before
    read = await client.stub.GetSnapshot(pb.GetSnapshotRequest(name=snapshot.name))
    assert read.snapshot == snapshot
    later = await take(client, parent)
    assert later.content_hash != snapshot.content_hash
    (changed,) = [one for one in await client.examples(later.name) if one.task == task.name]
    assert not changed.spans
    listed = await client.stub.ListSnapshots(pb.ListSnapshotsRequest(parent=parent))
    assert list(listed.snapshots) == [snapshot, later]


async def test_equal_content_has_an_equal_hash(client: AnnotationClient) -> None:
    first, second = await client.project("p"), await client.project("q")
    await client.load(first, lines(30), create_labels=True)
    for start in (20, 0, 10):
        await client.load(second, lines(10, first=start), create_labels=True)
    policy = SplitPolicy(ratios=SplitPolicy.Ratios(train=0.5, dev=0.25, test=0.25, seed=3))
    one, other = await take(client, first, policy), await take(client, second, policy)
    assert one.content_hash == other.content_hash
    assert one.content_hash.startswith("sha256:")
    policy.ratios.seed = 4
    assert (await take(client, first, policy)).content_hash != one.content_hash
    texts = [
        [(example.text, example.split) for example in await client.examples(snapshot.name)]
        for snapshot in (one, other)
    ]
    assert texts[0] == texts[1]


async def test_given_splits(client: AnnotationClient) -> None:
    parent = await client.project("p", "x")
    await client.load(parent, lines(20), split=TRAIN)
    await client.load(parent, lines(4, first=20), split=TEST)
    snapshot = await take(client, parent)
    assert snapshot.split_policy.WhichOneof("policy") == "given"
    assert dict(snapshot.example_counts) == {"train": 18, "dev": 2, "test": 4}
    without = await client.task(parent, "no split")
    await client.complete(without.name)
    given = SplitPolicy(given=SplitPolicy.Given())
    with refused(
        grpc.StatusCode.FAILED_PRECONDITION,
        Reason.STATE_CONFLICT,
        task=without.name.rpartition("/")[2],
    ):
        await take(client, parent, given)
    assert (await take(client, parent)).split_policy.WhichOneof("policy") == "ratios"


async def test_refused_snapshots(client: AnnotationClient) -> None:
    parent = await client.project("p", "x")
    precondition = grpc.StatusCode.FAILED_PRECONDITION
    with refused(precondition, Reason.NO_TRAINING_DATA):
        await take(client, parent)
    task = await client.task(parent, "draft only")
    await client.complete(task.name, submit=False)
    with refused(precondition, Reason.NO_TRAINING_DATA):
        await take(client, parent)
    bad = SplitPolicy(ratios=SplitPolicy.Ratios(train=0.5, dev=0.1, test=0.1))
    with refused(INVALID, Reason.FIELD_INVALID, field="split_policy.ratios"):
        await take(client, parent, bad)
    for parent in ("projects/none",):
        with refused(grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
            await take(client, parent)
    with refused(grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
        await client.examples("projects/p/snapshots/none")


async def test_large_snapshots_are_read_in_pieces(client: AnnotationClient) -> None:
    parent = await client.project("p", "x")
    text = b"w" * 3_000
    await client.load(parent, b"".join(b"%s%d\tB-x\n\n" % (text, n) for n in range(700)))
    snapshot = await take(client, parent)
    examples = await client.examples(snapshot.name)
    assert len({example.text for example in examples}) == 700
    assert [example.text for example in examples] == sorted(example.text for example in examples)


# --- events


async def test_events_resume_without_loss_or_repeat(tmp_path: Path) -> None:
    async with annotation(tmp_path) as client:
        parent = await client.project("p", "x")
        task = await client.task(parent, "Ada")
        await client.complete(task.name)
        first = await client.events(parent, 4)
        assert [event.sequence for event in first] == [1, 2, 3, 4]
        assert [kind(event) for event in first] == [
            "PROJECT_CREATED",
            "LABEL_CREATED",
            "TASK_CREATED",
            "COMPLETION_SUBMITTED",
        ]
        assert first[2].resource == task.name
    async with annotation(tmp_path) as client:  # tokens survive a restart
        rest = await client.events(parent, 2, first[1].resume_token)
        assert rest == first[2:]
        waiting = asyncio.create_task(client.events(parent, 1, first[3].resume_token))
        await asyncio.sleep(0.05)
        await client.update_project(parent, "New name")
        (event,) = await waiting
        assert (event.sequence, kind(event)) == (5, "PROJECT_UPDATED")


async def test_heartbeats_carry_the_place(tmp_path: Path) -> None:
    async with annotation(tmp_path, watch_heartbeat_seconds=0.05) as client:
        parent = await client.project("p")
        (event,) = await client.events(parent, 1)
        call = client.stub.WatchEvents(
            pb.WatchEventsRequest(parent=parent, resume_token=event.resume_token)
        )
        answer = await call.read()
        assert answer.heartbeat == event.resume_token
        call.cancel()


async def test_tokens_of_no_or_another_stream(client: AnnotationClient) -> None:
    parent, other = await client.project("p", "x", "y"), await client.project("q")
    (*_, foreign) = await client.events(parent, 3)
    bad = ["nonsense", "é", "x" * 1_000, foreign.resume_token, "W10", "WzEsMl0"]
    for token in bad:
        with refused(grpc.StatusCode.OUT_OF_RANGE, Reason.RESUME_TOKEN_INVALID):
            await client.events(other, 1, token)
    with refused(grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
        await client.events("projects/none", 1)


async def test_a_token_of_a_lost_database_is_out_of_range(tmp_path: Path) -> None:
    async with annotation(tmp_path / "a") as client:
        parent = await client.project("p", "x")
        (*_, last) = await client.events(parent, 2)
    async with annotation(tmp_path / "b") as client:
        await client.project("p", "x", "y")
        with refused(grpc.StatusCode.OUT_OF_RANGE, Reason.RESUME_TOKEN_INVALID):
            await client.events(parent, 1, last.resume_token)


async def test_two_servers_on_one_database(tmp_path: Path) -> None:
    async with (
        annotation(tmp_path, watch_poll_seconds=0.05) as one,
        annotation(tmp_path, watch_poll_seconds=0.05) as other,
    ):
        parent = await one.project("p", "x")
        task = await one.task(parent, "Ada")
        await asyncio.gather(
            *(
                client.complete(task.name, author=f"{place}-{n}")
                for place, client in enumerate((one, other))
                for n in range(10)
            )
        )
        events = await other.events(parent, 23)
        assert [event.sequence for event in events] == list(range(1, 24))
        assert len({event.resource for event in events}) == 23


async def test_a_draining_server_ends_the_stream(tmp_path: Path) -> None:
    async with (
        serve(annotation_settings(tmp_path), build) as server,
        client_channel(server) as channel,
    ):
        client = AnnotationClient(channel)
        parent = await client.project("p")
        call = client.stub.WatchEvents(pb.WatchEventsRequest(parent=parent))
        await call.read()
        await server.drain()
        with pytest.raises(aio.AioRpcError) as caught:
            await call.read()
        error = received_error(caught.value)
        assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, Reason.DRAINING)
