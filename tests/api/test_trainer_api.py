"""The trainer's contract over a real server, with a child that computes nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from services.common.errors import Reason
from services.trainer import peers
from services.trainer.job_files import read_spec
from spanloop.registry.v1.model_version_pb2 import ModelVersionState
from spanloop.trainer.v1 import trainer_service_pb2 as pb
from spanloop.trainer.v1.training_job_pb2 import (
    TrainingFailureReason,
    TrainingJob,
    TrainingJobState,
    TrainingParameters,
)
from tests.support.registry import refused
from tests.support.trainer import Loop, TrainerClient, log_lines, running_loop, state_of

INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest.fixture
async def loop(tmp_path: Path) -> AsyncIterator[Loop]:
    async with running_loop(tmp_path) as made:
        yield made


@pytest.fixture
async def idle(loop: Loop) -> AsyncIterator[TrainerClient]:
    """A trainer without workers: jobs stay WAITING."""
    async with loop.trainer(workers=0) as (client, _):
        yield client


def failure_of(job: TrainingJob) -> str:
    name = TrainingFailureReason.Name(job.failure.reason)
    return name.removeprefix("TRAINING_FAILURE_REASON_")


async def test_a_job_becomes_a_ready_version(loop: Loop) -> None:
    snapshot = await loop.snapshot()
    async with loop.trainer() as (client, _):
        created = await client.create(snapshot)
        assert state_of(created) == "WAITING"
        assert created.trunk_source == "embedded:tiny"
        assert len(created.warnings) == 2
        assert "40–50 examples per label" in created.warnings[0]
        messages = await client.watch(created.name)
        job = await client.get(created.name)
    assert state_of(job) == "DONE"
    assert (job.attempt, job.worker) == (1, "")
    assert [epoch.epoch for epoch in job.epochs] == [1, 2, 3]
    assert job.epochs[2].dev_f1 == {"DATE": 0.5, "PARTY": 0.5}
    assert job.evaluation.splits[0].micro.f1 == 0.5
    assert job.timings.training_seconds == 1.5
    assert job.create_time.ToMicroseconds() <= job.start_time.ToMicroseconds()
    assert job.start_time.ToMicroseconds() < job.end_time.ToMicroseconds()
    version = await loop.registry.get_version(job.model_version)
    assert version.name == "projects/p/modelVersions/ner_p_v1"
    assert version.state == ModelVersionState.MODEL_VERSION_STATE_READY
    assert sorted(version.adapters) == ["DATE", "PARTY"]
    assert version.lineage.training_job == job.name
    assert version.lineage.parameters == '{"engine": "ladder"}'
    assert version.lineage.snapshot == snapshot
    assert version.lineage.snapshot_content_hash.startswith("sha256:")
    assert version.evaluation.splits[0].labels["PARTY"].correct == 2
    # the stream: a job first, lines without gaps, the terminal state last
    assert messages[0].WhichOneof("payload") == "training_job"
    assert state_of(messages[-1].training_job) == "DONE"
    lines = log_lines(messages)
    assert [sequence for sequence, _ in lines] == list(range(1, len(lines) + 1))
    assert lines[-1][1] == f"Done: {job.model_version}."
    # what it computed with is gone, and no setting reached the child
    await loop.tidied()
    environment = json.loads((loop.control / "environment").read_text())
    assert not [name for name in environment if name.startswith("SPANLOOP_")]


async def test_the_registered_trunk_is_used_again(loop: Loop) -> None:
    snapshot = await loop.snapshot()
    async with loop.trainer() as (client, _):
        first = await client.create(snapshot)
        await client.end(first.name)
        assert any("exported" in text for _, text in log_lines(await client.watch(first.name)))
        for kept in (loop.data / "trainer" / "trunks").iterdir():
            for file in kept.iterdir():
                file.unlink()
        second = await client.create(snapshot)
        job = await client.end(second.name)
        assert state_of(job) == "DONE"
        lines = log_lines(await client.watch(second.name))
        assert not any("exported" in text for _, text in lines)
    assert len(await loop.versions()) == 2


async def test_labels_that_are_not_trained_keep_their_adapters(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = await loop.snapshot()
    async with loop.trainer() as (client, _):
        base = await client.end((await client.create(snapshot)).name)
        job = await client.end(
            (
                await client.create(
                    snapshot, labels=["DATE"], base_model_version=base.model_version
                )
            ).name
        )
        original = peers._version
        monkeypatch.setattr(peers, "_version", lambda found: replace(original(found), purged=True))
        # Of a version whose artifacts retention deleted nothing can be kept.
        with refused(INVALID, Reason.FIELD_INVALID, field="training_job.base_model_version"):
            await client.create(snapshot, base_model_version=base.model_version)
    assert state_of(job) == "DONE", job.failure
    before = await loop.registry.get_version(base.model_version)
    after = await loop.registry.get_version(job.model_version)
    assert after.adapters["PARTY"] == before.adapters["PARTY"]
    assert sorted(after.adapters) == ["DATE", "PARTY"]
    assert list(after.lineage.base_model_versions) == [base.model_version]
    assert not list(before.lineage.base_model_versions)


async def test_a_label_without_examples_is_skipped(loop: Loop) -> None:
    snapshot = await loop.snapshot(labels=("PARTY", "DATE", "NEVER"))
    async with loop.trainer() as (client, _):
        job = await client.end((await client.create(snapshot)).name)
        assert state_of(job) == "DONE"
        assert any("'NEVER'" in text and "not trained" in text for text in job.warnings)
        version = await loop.registry.get_version(job.model_version)
        assert sorted(version.adapters) == ["DATE", "PARTY"]
        failed = await client.end((await client.create(snapshot, labels=["NEVER"])).name)
        assert (state_of(failed), failure_of(failed)) == ("FAILED", "NO_TRAINING_DATA")


@pytest.mark.parametrize(
    ("control", "reason", "attempts"),
    [
        ({"fail": "TRUNK_UNAVAILABLE no such trunk"}, "TRUNK_UNAVAILABLE", 1),
        ({"fail": "OUT_OF_MEMORY too little"}, "OUT_OF_MEMORY", 1),
        ({"raise": "yes"}, "INTERNAL", 1),
        ({"parity": "bad"}, "PARITY_FAILED", 1),
        ({"die": "yes", "epochs": "9"}, "WORKER_LOST", 2),
    ],
    ids=str,
)
async def test_failures_have_reasons(
    loop: Loop, control: dict[str, str], reason: str, attempts: int
) -> None:
    snapshot = await loop.snapshot()
    loop.control_child(**control)
    async with loop.trainer(max_attempts=attempts) as (client, _):
        job = await client.create(snapshot)
        messages = await client.watch(job.name)
        job = await client.get(job.name)
    assert (state_of(job), failure_of(job)) == ("FAILED", reason)
    assert job.attempt == attempts
    assert job.failure.message
    assert state_of(messages[-1].training_job) == "FAILED"
    if "raise" in control:
        assert any("the child has a bug" in text for _, text in log_lines(messages))
    states = [version.state for version in await loop.versions()]
    expected = [ModelVersionState.MODEL_VERSION_STATE_FAILED] if "parity" in control else []
    assert states == expected


async def test_creation_is_checked(loop: Loop, idle: TrainerClient) -> None:
    snapshot = await loop.snapshot()
    field = "training_job.snapshot"
    with refused(INVALID, Reason.FIELD_INVALID, field=field):
        await idle.create("projects/p/snapshots/none")
    with refused(INVALID, Reason.FIELD_INVALID, field="parent"):
        await idle.stub.CreateTrainingJob(
            pb.CreateTrainingJobRequest(parent="p", training_job=TrainingJob(snapshot=snapshot))
        )
    with refused(INVALID, Reason.FIELD_INVALID, field=field):
        await idle.stub.CreateTrainingJob(
            pb.CreateTrainingJobRequest(
                parent="projects/other", training_job=TrainingJob(snapshot=snapshot)
            )
        )
    with refused(INVALID, Reason.LABEL_UNKNOWN, field="training_job.labels[1]"):
        await idle.create(snapshot, labels=["DATE", "COLOUR"])
    with refused(INVALID, Reason.FIELD_INVALID, field="training_job.labels[1]"):
        await idle.create(snapshot, labels=["DATE", "DATE"])
    with refused(INVALID, Reason.FIELD_INVALID, field="training_job.base_model_version"):
        await idle.create(snapshot, base_model_version="projects/p/modelVersions/ner_p_v7")
    with refused(INVALID, Reason.FIELD_INVALID, field="training_job.model_type"):
        await idle.create(snapshot, model_type=9)
    with refused(INVALID, Reason.FIELD_INVALID, field="training_job.trunk_source"):
        await idle.create(snapshot, trunk_source="a\nb")


@pytest.mark.parametrize(
    ("name", "bad", "good"),
    [
        ("epochs", 1001, 1000),
        ("patience", -1, 1),
        ("learning_rate", 0.2, 0.1),
        ("weight_decay", -0.1, 0.0),
        ("dropout", 1.0, 0.0),
        ("tap_dropout", float("nan"), 0.9),
        ("batch_words", 15, 16),
        ("width", 3, 0),
        ("context", 9, 8),
        ("max_length", 15, 16),
    ],
)
async def test_parameters_have_bounds(
    loop: Loop, idle: TrainerClient, name: str, bad: float, good: float
) -> None:
    snapshot = await loop.snapshot()
    with refused(INVALID, Reason.FIELD_INVALID, field=f"training_job.parameters.{name}"):
        await idle.create(snapshot, parameters=TrainingParameters(**{name: bad}))
    job = await idle.create(snapshot, parameters=TrainingParameters(**{name: good}))
    # a zero that is out of bounds means the default, one within them is a value
    assert job.parameters.HasField(name) == (name != "width")


async def test_creation_is_idempotent(loop: Loop, idle: TrainerClient) -> None:
    snapshot = await loop.snapshot()
    first = await idle.create(snapshot, request_id="r1")
    assert await idle.create(snapshot, request_id="r1") == first
    with refused(INVALID, Reason.REQUEST_ID_REUSED):
        await idle.create(snapshot, request_id="r1", labels=["DATE"])
    listed = await idle.stub.ListTrainingJobs(pb.ListTrainingJobsRequest(parent="projects/p"))
    assert [job.name for job in listed.training_jobs] == [first.name]


async def test_lists_are_paged_and_filtered(loop: Loop, idle: TrainerClient) -> None:
    one, two = await loop.snapshot("one"), await loop.snapshot("two")
    made = [await idle.create(snapshot) for snapshot in (one, one, two)]
    await idle.cancel(made[0].name)
    await idle.end(made[0].name)

    async def names(**fields: object) -> list[str]:
        found: list[str] = []
        token = ""
        while True:
            answer = await idle.stub.ListTrainingJobs(
                pb.ListTrainingJobsRequest(page_size=1, page_token=token, **fields)
            )
            found += [job.name for job in answer.training_jobs]
            token = answer.next_page_token
            if not token:
                return found

    assert await names(parent="projects/one") == [made[1].name, made[0].name]
    assert await names(parent="projects/-") == [job.name for job in reversed(made)]
    cancelled = [TrainingJobState.TRAINING_JOB_STATE_CANCELLED]
    assert await names(parent="projects/-", states=cancelled) == [made[0].name]
    with refused(INVALID, Reason.PAGE_TOKEN_INVALID):
        await idle.stub.ListTrainingJobs(
            pb.ListTrainingJobsRequest(parent="projects/one", page_token="x")
        )
    with refused(INVALID, Reason.FIELD_INVALID, field="states[0]"):
        await idle.stub.ListTrainingJobs(
            pb.ListTrainingJobsRequest(parent="projects/one", states=[99])
        )


async def test_watching_goes_on_behind_its_token(loop: Loop) -> None:
    snapshot = await loop.snapshot()
    fields = {"watch_heartbeat_seconds": 0.2, "activation_cache_bytes": 12_345}
    async with loop.trainer(**fields) as (client, _):
        loop.control_child(hold=2)
        name = (await client.create(snapshot)).name
        seen: list[pb.WatchTrainingJobResponse] = []
        call = client.stub.WatchTrainingJob(pb.WatchTrainingJobRequest(name=name))
        async for message in call:
            seen.append(message)
            lines = [text for _, text in log_lines(seen)]
            if message.WhichOneof("payload") == "heartbeat" and "epoch 2" in lines:
                break
        call.cancel()
        (spec,) = (loop.data / "trainer" / "jobs").glob("*/spec.json")
        assert read_spec(spec).cache_bytes == 12_345
        loop.control_child(hold=None)
        rest = await client.watch(name, seen[-1].resume_token)
        whole = await client.watch(name)
    assert log_lines(seen) + log_lines(rest) == log_lines(whole)
    versions = [m.training_job.etag for m in seen if m.WhichOneof("payload") == "training_job"]
    assert len(set(versions)) == len(versions)


async def test_watching_refuses_foreign_tokens(loop: Loop, idle: TrainerClient) -> None:
    snapshot = await loop.snapshot()
    one, two = await idle.create(snapshot), await idle.create(snapshot)
    other = pb.WatchTrainingJobRequest(name=two.name)
    call = idle.stub.WatchTrainingJob(other)
    token = (await call.read()).resume_token
    call.cancel()
    for bad in (token, "???", "eA=="):
        with refused(INVALID, Reason.RESUME_TOKEN_INVALID):
            await idle.watch(one.name, bad)
    with refused(grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
        await idle.watch("projects/p/trainingJobs/none")
    with refused(grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
        await idle.get(one.name.replace("projects/p/", "projects/q/"))


async def test_terminal_jobs_cannot_be_cancelled(loop: Loop, idle: TrainerClient) -> None:
    job = await idle.create(await loop.snapshot())
    assert (await idle.cancel(job.name)).cancel_requested
    assert state_of(await idle.end(job.name)) == "CANCELLED"
    with refused(grpc.StatusCode.FAILED_PRECONDITION, Reason.STATE_CONFLICT):
        await idle.cancel(job.name)
