"""What jobs are trained on: data, controls, groups, other versions; the place of versions."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from services.common.errors import Reason
from spanloop.annotation.v1 import annotation_service_pb2 as annotation_pb
from spanloop.annotation.v1.selection_pb2 import Selection, TaskFilter
from spanloop.annotation.v1.snapshot_pb2 import SplitPolicy
from spanloop.common.v1 import evaluation_pb2
from spanloop.trainer.v1 import trainer_service_pb2 as pb
from spanloop.trainer.v1 import training_group_service_pb2 as group_pb
from spanloop.trainer.v1.training_job_pb2 import TrainingData, TrainingJob, TransferLearning
from tests.support.registry import refused
from tests.support.trainer import Loop, TrainerClient, running_loop, state_of

INVALID = grpc.StatusCode.INVALID_ARGUMENT
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
CLASSIFICATION = evaluation_pb2.MODEL_TYPE_CLASSIFICATION
ASSERTION = evaluation_pb2.MODEL_TYPE_ASSERTION
NER = evaluation_pb2.MODEL_TYPE_NER
RATIOS = SplitPolicy(ratios=SplitPolicy.Ratios(train=0.6, dev=0.2, test=0.2, seed=3))


@pytest.fixture
async def loop(tmp_path: Path) -> AsyncIterator[Loop]:
    async with running_loop(tmp_path) as made:
        yield made


@pytest.fixture
async def idle(loop: Loop) -> AsyncIterator[TrainerClient]:
    """A trainer without workers: jobs stay WAITING."""
    async with loop.trainer(workers=0) as (client, _):
        yield client


async def create(
    client: TrainerClient, parent: str, request_id: str = "", **fields: object
) -> TrainingJob:
    request = pb.CreateTrainingJobRequest(
        parent=parent, training_job=TrainingJob(**fields), request_id=request_id
    )
    return (await client.stub.CreateTrainingJob(request)).training_job


async def group(
    client: TrainerClient, parent: str, request_id: str = "", **fields: object
) -> group_pb.CreateTrainingGroupResponse:
    fields.setdefault("template", TrainingJob(data=TrainingData()))
    return await client.groups.CreateTrainingGroup(
        group_pb.CreateTrainingGroupRequest(parent=parent, request_id=request_id, **fields)
    )


# ---- data


async def test_a_snapshot_is_taken_for_the_data(loop: Loop, idle: TrainerClient) -> None:
    parent = await loop.mixed()
    data = TrainingData(
        selection=Selection(filter=TaskFilter(text_regex="Acme [0-9] ")), split_policy=RATIOS
    )
    job = await create(idle, parent, "r1", data=data)
    assert job.snapshot.startswith(f"{parent}/snapshots/")
    assert dict(job.example_counts) == {"train": 6, "dev": 2, "test": 2}
    assert job.data == data
    # a repeat finds job and snapshot
    assert await create(idle, parent, "r1", data=data) == job
    listed = await loop.annotation.stub.ListSnapshots(
        annotation_pb.ListSnapshotsRequest(parent=parent)
    )
    assert [snapshot.name for snapshot in listed.snapshots] == [job.snapshot]
    with refused(INVALID, Reason.REQUEST_ID_REUSED):
        await create(idle, parent, "r1", data=TrainingData())


async def test_snapshot_and_data_exclude_each_other(loop: Loop, idle: TrainerClient) -> None:
    parent = await loop.mixed(count=1)
    for fields in ({}, {"snapshot": f"{parent}/snapshots/s", "data": TrainingData()}):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await create(idle, parent, **fields)
        assert caught.value.code() is INVALID
        assert "training_job.snapshot" in caught.value.details()
        assert "training_job.data" in caught.value.details()


async def test_refusals_of_the_selection_name_the_job_s_fields(
    loop: Loop, idle: TrainerClient
) -> None:
    parent = await loop.mixed(count=1)
    bad = Selection(filter=TaskFilter(text_regex="("))
    field = "training_job.data.selection.filter.text_regex"
    with refused(INVALID, Reason.FIELD_INVALID, field=field):
        await create(idle, parent, data=TrainingData(selection=bad))
    ratios = SplitPolicy(ratios=SplitPolicy.Ratios(train=0.9, dev=0.9))
    with pytest.raises(grpc.aio.AioRpcError, match=r"training_job\.data\.split_policy"):
        await create(idle, parent, data=TrainingData(split_policy=ratios))
    nothing = Selection(filter=TaskFilter(tags_all=["none"]))
    with refused(PRECONDITION, Reason.NO_TRAINING_DATA):
        await create(idle, parent, data=TrainingData(selection=nothing))
    with pytest.raises(grpc.aio.AioRpcError, match=r"template\.data\.selection"):
        await group(idle, parent, template=TrainingJob(data=TrainingData(selection=bad)))
    assert await idle.jobs("m") == []


async def test_too_few_and_contradictory_completions_fail_by_name(loop: Loop) -> None:
    parent = await loop.annotation.project("few", "PARTY")
    await loop.annotate("few", 3)
    async with loop.trainer() as (client, _):
        whole = SplitPolicy(ratios=SplitPolicy.Ratios(train=1))
        data = TrainingData(split_policy=whole)
        job = await client.end((await create(client, parent, data=data)).name)
        assert "TOO_FEW" not in job.failure.message
        assert job.failure.reason == 9, job
        for _ in range(3):
            task = await loop.annotation.task(parent, "Acme 0 paid 2024 to Bolt.")
            await loop.annotation.complete(task.name, [(15, 19, "PARTY")])
        job = await client.end((await create(client, parent, data=data)).name)
        assert job.failure.reason == 10, job
        assert "'Acme 0 paid 2024 to Bolt.'" in job.failure.message


# ---- controls


async def test_the_config_says_which_control_is_trained(loop: Loop, idle: TrainerClient) -> None:
    parent = await loop.mixed()
    fields = {"model_type": CLASSIFICATION, "data": TrainingData()}
    job = await create(idle, parent, **fields)
    assert job.control == "topic"
    assert any("topic: value 'law' has" in warning for warning in job.warnings)
    assert (await create(idle, parent, control="flags", **fields)).control == "flags"
    with refused(INVALID, Reason.FIELD_INVALID, field="training_job.control") as _:
        await create(idle, parent, control="nope", **fields)
    with pytest.raises(grpc.aio.AioRpcError, match="flags, topic"):
        await create(idle, parent, control="nope", **fields)
    with refused(INVALID, Reason.FIELD_INVALID, field="training_job.labels"):
        await create(idle, parent, labels=["PARTY"], **fields)
    with refused(INVALID, Reason.FIELD_INVALID, field="training_job.control"):
        await create(idle, parent, control="topic", data=TrainingData())


async def test_without_a_config_the_snapshot_says(loop: Loop, idle: TrainerClient) -> None:
    parent = await loop.annotation.project("plain")
    lines = [{"text": f"t{n}", "choices": {"tone": ["good"], "age": ["old"]}} for n in range(5)]
    data = "\n".join(json.dumps(line) for line in lines).encode()
    assert (await loop.annotation.load(parent, data)).imported_tasks == 5
    fields = {"model_type": CLASSIFICATION, "data": TrainingData()}
    assert (await create(idle, parent, **fields)).control == "age"
    with pytest.raises(grpc.aio.AioRpcError, match="the snapshot; there are: age, tone"):
        await create(idle, parent, control="nope", **fields)
    with refused(INVALID, Reason.FIELD_INVALID, field="training_job.model_type"):
        await create(idle, parent, model_type=ASSERTION, data=TrainingData())


async def test_the_child_is_told_what_to_train(loop: Loop) -> None:
    parent = await loop.mixed()
    async with loop.trainer() as (client, _):
        made = {}
        for kind, control in (
            (CLASSIFICATION, "topic"),
            (CLASSIFICATION, "flags"),
            (ASSERTION, ""),
        ):
            job = await create(
                client, parent, model_type=kind, control=control, data=TrainingData()
            )
            await client.end(job.name)
            spec = json.loads((loop.control / "spec").read_text())
            made[control] = (spec["labels"], spec["multiple"], spec["model_type"])
    assert made["topic"] == (["law", "tax"], False, "classification")
    assert made["flags"] == (["hot", "new"], True, "classification")
    assert made[""] == (["Absent", "Present"], False, "assertion")


# ---- groups


async def test_a_group_trains_all_that_a_project_has(loop: Loop, idle: TrainerClient) -> None:
    parent = await loop.mixed()
    made = await group(idle, parent, "r")
    kinds = [(job.model_type, job.control) for job in made.training_jobs]
    assert kinds == [(NER, ""), (CLASSIFICATION, "topic"), (ASSERTION, "")]
    assert len({job.snapshot for job in made.training_jobs}) == 1
    assert {job.group for job in made.training_jobs} == {made.training_group.name}
    assert list(made.training_group.training_jobs) == [job.name for job in made.training_jobs]
    assert await group(idle, parent, "r") == made
    assert len(await idle.jobs("m")) == 3
    read = await idle.groups.GetTrainingGroup(
        group_pb.GetTrainingGroupRequest(name=made.training_group.name)
    )
    assert list(read.training_jobs) == list(made.training_jobs)
    with refused(INVALID, Reason.REQUEST_ID_REUSED):
        await group(idle, parent, "r", model_types=[NER])
    with refused(grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
        name = made.training_group.name.replace("/m/", "/other/")
        await idle.groups.GetTrainingGroup(group_pb.GetTrainingGroupRequest(name=name))


async def test_types_and_controls_of_a_group_can_be_chosen(loop: Loop, idle: TrainerClient) -> None:
    parent = await loop.mixed()
    made = await group(
        idle, parent, model_types=[CLASSIFICATION, NER], controls=["flags", "topic", "flags"]
    )
    kinds = [(job.model_type, job.control) for job in made.training_jobs]
    assert kinds == [(NER, ""), (CLASSIFICATION, "flags"), (CLASSIFICATION, "topic")]
    for field, fields in {
        "template.model_type": {"template": TrainingJob(data=TrainingData(), model_type=NER)},
        "template.labels": {"template": TrainingJob(data=TrainingData(), labels=["PARTY"])},
        "template.control": {"controls": ["nope"]},
        "model_types[0]": {"model_types": [9]},
        "controls": {"model_types": [NER], "controls": ["topic"]},
    }.items():
        with refused(INVALID, Reason.FIELD_INVALID, field=field):
            await group(idle, parent, **fields)
    # what cannot be created whole is not created at all
    assert len(await idle.jobs("m")) == 3


# ---- other versions


async def trained(client: TrainerClient, snapshot: str, **fields: object) -> TrainingJob:
    job = await client.end((await client.create(snapshot, **fields)).name)
    assert state_of(job) == "DONE", job.failure
    return job


async def test_training_starts_from_a_version(loop: Loop) -> None:
    snapshot = await loop.snapshot()
    async with loop.trainer() as (client, _):
        base = await trained(client, snapshot)
        before = await loop.registry.get_version(base.model_version)
        loop.control_child(weights="2")
        start = TransferLearning(model_version=base.model_version, include_base_labels=True)
        kept = await trained(client, snapshot, labels=["DATE"], transfer=start)
        (initial,) = json.loads((loop.control / "spec").read_text())["initial_adapters"]
        assert initial["label"] == "DATE"
        after = await loop.registry.get_version(kept.model_version)
        assert after.adapters["PARTY"] == before.adapters["PARTY"]
        assert after.adapters["DATE"] != before.adapters["DATE"]
        only = TransferLearning(model_version=base.model_version)
        alone = await trained(client, snapshot, labels=["DATE"], transfer=only)
        assert sorted((await loop.registry.get_version(alone.model_version)).adapters) == ["DATE"]
        # a label that the start does not have begins from nothing, and the job says so
        start = TransferLearning(model_version=alone.model_version)
        other = await trained(client, snapshot, labels=["PARTY"], transfer=start)
        assert any("start from nothing" in warning for warning in other.warnings)


async def test_starts_that_do_not_fit_are_refused(loop: Loop) -> None:
    snapshot = await loop.snapshot()
    parent = await loop.mixed()
    async with loop.trainer() as (client, _):
        base = await trained(client, snapshot)
        loop.control_child(parity="bad")
        await client.end((await client.create(snapshot)).name)
        field = "training_job.transfer.model_version"
        for version in (
            "projects/m/modelVersions/ner_m_v1",  # of another project
            "projects/p/modelVersions/ner_p_v9",  # of none
            "projects/p/modelVersions/ner_p_v2",  # FAILED
        ):
            with refused(INVALID, Reason.FIELD_INVALID, field=field):
                await client.create(snapshot, transfer=TransferLearning(model_version=version))
        start = TransferLearning(model_version=base.model_version)
        with pytest.raises(grpc.aio.AioRpcError, match="reads the trunk 'embedded:tiny'"):
            await client.create(snapshot, transfer=start, trunk_source="some/other")
        with refused(INVALID, Reason.FIELD_INVALID, field=field):
            await create(
                client,
                parent,
                model_type=CLASSIFICATION,
                data=TrainingData(),
                transfer=start,
            )
        # kept labels come from one version
        both = TransferLearning(model_version=base.model_version, include_base_labels=True)
        loop.control_child(parity=None)
        again = await trained(client, snapshot)
        with refused(INVALID, Reason.FIELD_INVALID, field="training_job.base_model_version"):
            await client.create(snapshot, transfer=both, base_model_version=again.model_version)


# ---- versioning


async def test_without_versioning_a_retrain_takes_the_newest_place(loop: Loop) -> None:
    snapshot = await loop.snapshot()
    async with loop.trainer() as (client, _):
        first = await trained(client, snapshot)
        await client.update_settings("p", "versioning_disabled", versioning_disabled=True)
        second = await trained(client, snapshot)
        await client.update_settings("p", "versioning_disabled", versioning_disabled=False)
        third = await trained(client, snapshot)
    names = [job.model_version.rpartition("/")[2] for job in (first, second, third)]
    assert names == ["ner_p_v1", "ner_p_v1_r1", "ner_p_v2"]
    assert await loop.registry.listed("p") == ["ner_p_v2", "ner_p_v1_r1"]
    assert (await loop.registry.get_version(first.model_version)).adapters
