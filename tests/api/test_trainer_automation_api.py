"""Settings, the gate, deploying after training and active learning over real servers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from services.common.errors import Reason
from spanloop.common.v1 import evaluation_pb2
from spanloop.trainer.v1 import trainer_service_pb2 as trainer_pb
from spanloop.trainer.v1 import training_settings_service_pb2 as settings_pb
from spanloop.trainer.v1.training_job_pb2 import (
    TRAINING_SOURCE_ACTIVE_LEARNING,
    TRAINING_SOURCE_MANUAL,
    TrainingData,
    TrainingJob,
)
from spanloop.trainer.v1.training_settings_pb2 import ActiveLearningPolicy, DeploymentGate
from tests.support.registry import refused
from tests.support.trainer import Loop, TrainerClient, running_loop, state_of

INVALID = grpc.StatusCode.INVALID_ARGUMENT
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
HALF = json.dumps({"PARTY": 0.5, "DATE": 0.5})  # as the child's own versions score
BETTER = json.dumps({"PARTY": 0.9, "DATE": 0.5})
NER = TrainingJob(model_type=evaluation_pb2.MODEL_TYPE_NER)


@pytest.fixture
async def loop(tmp_path: Path) -> AsyncIterator[Loop]:
    async with running_loop(tmp_path) as made:
        yield made


@pytest.fixture
async def idle(loop: Loop) -> AsyncIterator[TrainerClient]:
    """A trainer without workers: jobs stay WAITING."""
    async with loop.trainer(workers=0) as (client, _):
        yield client


# ---- settings


async def test_settings_have_defaults_and_change_by_mask(idle: TrainerClient) -> None:
    request = settings_pb.GetTrainingSettingsRequest(name="projects/p/trainingSettings")
    first = (await idle.settings.GetTrainingSettings(request)).training_settings
    assert not first.versioning_disabled
    assert first.active_learning.min_new_completions == 50
    assert not first.active_learning.enabled
    assert first.active_learning.template.HasField("data")
    assert first.gate.max_label_regression == 0.02
    gate = DeploymentGate(min_micro_f1=0.4, max_label_regression=0)
    changed = await idle.update_settings(
        "p", "gate", etag=first.etag, gate=gate, versioning_disabled=True
    )
    assert (changed.gate, changed.versioning_disabled) == (gate, False)
    assert changed.etag != first.etag
    with refused(grpc.StatusCode.ABORTED, Reason.ETAG_MISMATCH):
        await idle.update_settings("p", etag=first.etag)
    policy = ActiveLearningPolicy(enabled=True, min_new_completions=7, deploy=True, template=NER)
    policy.max_interval.FromSeconds(90)
    stored = await idle.update_settings("p", "active_learning", active_learning=policy)
    assert stored.active_learning.max_interval.ToSeconds() == 90
    assert stored.active_learning.template.model_type == evaluation_pb2.MODEL_TYPE_NER
    assert stored.gate == gate
    assert (await idle.settings.GetTrainingSettings(request)).training_settings == stored
    # sent back as it came, it changes nothing but the etag
    again = await idle.update_settings("p", active_learning=stored.active_learning, gate=gate)
    assert again.active_learning == stored.active_learning


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("gate.min_micro_f1", {"gate": DeploymentGate(min_micro_f1=1.5)}),
        ("gate.min_micro_f1", {"gate": DeploymentGate(min_micro_f1=float("nan"))}),
        ("gate.max_label_regression", {"gate": DeploymentGate(max_label_regression=-0.1)}),
        (
            "active_learning.min_new_completions",
            {"active_learning": ActiveLearningPolicy(min_new_completions=-1)},
        ),
        (
            "active_learning.template.labels",
            {"active_learning": ActiveLearningPolicy(template=TrainingJob(labels=["A"]))},
        ),
    ],
)
async def test_settings_are_checked(
    idle: TrainerClient, field: str, fields: dict[str, object]
) -> None:
    with refused(INVALID, Reason.FIELD_INVALID, field=f"training_settings.{field}"):
        await idle.update_settings("p", **fields)
    with refused(INVALID, Reason.FIELD_INVALID, field="update_mask.paths[0]"):
        await idle.update_settings("p", "etag")


async def test_versioning_cannot_change_under_a_live_job(loop: Loop, idle: TrainerClient) -> None:
    job = await idle.create(await loop.snapshot())
    with refused(PRECONDITION, Reason.STATE_CONFLICT):
        await idle.update_settings("p", versioning_disabled=True)
    await idle.update_settings("p", gate=DeploymentGate(min_micro_f1=0.1))
    await idle.cancel(job.name)
    await idle.end(job.name)
    assert (await idle.update_settings("p", versioning_disabled=True)).versioning_disabled


# ---- the gate


async def test_what_passes_the_gate_is_deployed(loop: Loop) -> None:
    snapshot = await loop.snapshot()
    async with loop.trainer() as (client, _):
        plain = await client.end((await client.create(snapshot)).name)
        first = await client.decided((await client.create(snapshot, deploy=True)).name)
        assert first.deployment.deployed
        assert first.deployment.deployment_revision == 1
        assert "micro F1 0.5000 on test" in first.deployment.message
        loop.control_child(weights="2", baseline=HALF)
        second = await client.decided((await client.create(snapshot, deploy=True)).name)
        assert second.deployment.deployed, second.deployment.message
        assert "no label is worse than in ner_p_v2" in second.deployment.message
        told = json.loads((loop.control / "spec").read_text())["served"]
        assert told["model_version"] == first.model_version
        assert told["split"] == "dev"
        assert len(told["adapters"]) == 2
        assert not (await client.get(plain.name)).HasField("deployment")
    deployment = await loop.registry.deployment("p")
    assert (deployment.revision, deployment.models[0].model_version) == (2, second.model_version)


@pytest.mark.parametrize(
    ("gate", "baseline", "why"),
    [
        (DeploymentGate(min_micro_f1=0.6), HALF, "0.6000 is asked for"),
        (DeploymentGate(), BETTER, "PARTY falls from F1 0.9000 to 0.5000"),
        (DeploymentGate(max_label_regression=0.5), "{}", "the child was told so"),
    ],
)
async def test_what_fails_the_gate_keeps_the_old_version(
    loop: Loop, gate: DeploymentGate, baseline: str, why: str
) -> None:
    snapshot = await loop.snapshot()
    async with loop.trainer() as (client, _):
        old = await client.decided((await client.create(snapshot, deploy=True)).name)
        await client.update_settings("p", "gate", gate=gate)
        loop.control_child(weights="2", baseline=baseline)
        new = await client.decided((await client.create(snapshot, deploy=True)).name)
        assert state_of(new) == "DONE"
        assert not new.deployment.deployed
        assert new.deployment.message.startswith("Not deployed:")
        assert why in new.deployment.message
    deployment = await loop.registry.deployment("p")
    assert (deployment.revision, deployment.models[0].model_version) == (1, old.model_version)


async def test_a_version_that_came_meanwhile_is_not_overwritten(loop: Loop) -> None:
    snapshot = await loop.snapshot()
    async with loop.trainer() as (client, _):
        await client.decided((await client.create(snapshot, deploy=True)).name)
        other = await client.end((await client.create(snapshot)).name)
        loop.control_child(weights="2", baseline=HALF, hold="evaluating")
        job = await client.create(snapshot, deploy=True)
        await client.until(job.name, lambda job: state_of(job) == "EVALUATING")
        await loop.registry.deploy(other.model_version)
        loop.control_child(hold=None)
        job = await client.decided(job.name)
    assert not job.deployment.deployed
    assert "ner_p_v2 came to be served while it was trained" in job.deployment.message
    assert (await loop.registry.deployment("p")).models[0].model_version == other.model_version


async def test_deploying_waits_for_the_registry_and_survives_a_restart(loop: Loop) -> None:
    """The trainer ends between DONE and deploying; the next one deploys."""
    snapshot = await loop.snapshot()
    async with loop.trainer(poll_seconds=60) as (client, _):
        job = await client.create(snapshot, deploy=True)
        async for message in client.stub.WatchTrainingJob(
            trainer_pb.WatchTrainingJobRequest(name=job.name)
        ):
            if message.log_line.message.startswith("Done:"):
                await loop.stop_registry()
    async with loop.trainer() as (client, _):
        job = await client.end(job.name)
        assert state_of(job) == "DONE"
        await loop.start_registry()
        job = await client.decided(job.name)
        assert job.deployment.deployed
    assert (await loop.registry.deployment("p")).revision == 1


async def test_without_a_baseline_even_equal_adapters_stay(loop: Loop) -> None:
    snapshot = await loop.snapshot()
    async with loop.trainer() as (client, _):
        first = await client.decided((await client.create(snapshot, deploy=True)).name)
        assert first.deployment.deployed
        same = await client.decided((await client.create(snapshot, deploy=True)).name)
    assert not same.deployment.deployed
    assert "the child was told so" in same.deployment.message


# ---- active learning


async def test_completions_start_a_run_by_themselves(loop: Loop) -> None:
    await loop.annotation.project("p", "PARTY")
    await loop.annotate("p", 4)
    policy = ActiveLearningPolicy(enabled=True, min_new_completions=6, deploy=True)
    async with loop.trainer() as (client, _):
        await client.update_settings("p", active_learning=policy)
        state = await client.learned("p", lambda state: state.new_completions == 4)
        assert not state.training_jobs
        assert await client.jobs("p") == []
        await loop.annotate("p", 2, first=4)
        state = await client.learned("p", lambda state: "gate passed" in state.message)
        assert state.new_completions == 0
        (job,) = await client.jobs("p", source=TRAINING_SOURCE_ACTIVE_LEARNING)
        assert await client.jobs("p", source=TRAINING_SOURCE_MANUAL) == []
        assert list(state.training_jobs) == [job.name]
        assert job.deployment.deployed
        assert job.source == TRAINING_SOURCE_ACTIVE_LEARNING
        assert job.group
    deployment = await loop.registry.deployment("p")
    assert deployment.models[0].model_version == job.model_version


async def test_triggers_under_a_run_make_one_more(loop: Loop) -> None:
    await loop.annotation.project("p", "PARTY")
    policy = ActiveLearningPolicy(enabled=True, min_new_completions=6)
    loop.control_child(hold=1)
    async with loop.trainer() as (client, _):
        await client.update_settings("p", active_learning=policy)
        for start in (0, 6, 12):
            await loop.annotate("p", 6, first=start)
            await client.learned("p", lambda state: bool(state.training_jobs))
        queued = await client.learned("p", lambda s: s.queued and s.new_completions == 12)
        (first,) = queued.training_jobs
        loop.control_child(hold=None)
        done = await client.learned(
            "p",
            lambda s: (
                bool(s.training_jobs)
                and s.training_jobs[0] != first
                and "was not to be deployed" in s.message
            ),
        )
        assert not done.queued
        assert done.new_completions == 0
        assert len(await client.jobs("p")) == 2


async def test_time_triggers_with_at_least_one_completion(loop: Loop) -> None:
    await loop.annotation.project("p", "PARTY")
    policy = ActiveLearningPolicy(enabled=True, min_new_completions=1000)
    policy.max_interval.FromSeconds(1)
    async with loop.trainer() as (client, _):
        await loop.annotate("p", 6)
        await client.update_settings("p", active_learning=policy)
        await client.learned("p", lambda state: "was not to be deployed" in state.message)
        # nothing new, nothing more, however long it takes
        assert (await client.learning("p")).new_completions == 0
        assert len(await client.jobs("p")) == 1


async def test_a_run_that_cannot_train_says_why(loop: Loop) -> None:
    parent = await loop.annotation.project("p", "PARTY")
    for index in range(3):
        task = await loop.annotation.task(parent, f"nothing {index}")
        await loop.annotation.complete(task.name)
    policy = ActiveLearningPolicy(enabled=True, min_new_completions=3)
    async with loop.trainer() as (client, _):
        await client.update_settings("p", active_learning=policy)
        state = await client.learned("p", lambda state: bool(state.message))
        assert state.message.startswith("Nothing was trained:")
        assert "no spans" in state.message
        # it is not tried again before more comes in
        await loop.annotate("p", 6)
        await client.learned("p", lambda state: bool(state.training_jobs))


async def test_counting_goes_on_over_a_restart(loop: Loop) -> None:
    await loop.annotation.project("p", "PARTY")
    policy = ActiveLearningPolicy(enabled=True, min_new_completions=9)
    async with loop.trainer() as (client, _):
        await client.update_settings("p", active_learning=policy)
        await loop.annotate("p", 4)
        await client.learned("p", lambda state: state.new_completions == 4)
    await loop.annotate("p", 4, first=4)
    async with loop.trainer() as (client, _):
        await client.learned("p", lambda state: state.new_completions == 8)
        assert await client.jobs("p") == []
        await loop.annotate("p", 1, first=8)
        await client.learned("p", lambda state: bool(state.training_jobs))
        assert len(await client.jobs("p")) == 1


async def test_several_trainers_make_one_run(loop: Loop, tmp_path: Path) -> None:
    await loop.annotation.project("p", "PARTY")
    policy = ActiveLearningPolicy(enabled=True, min_new_completions=10)
    database = f"sqlite:///{tmp_path}/shared.db"
    other = tmp_path / "other"
    other.mkdir()
    (other / "token").write_text((loop.data / "token").read_text())
    (other / "token").chmod(0o600)
    async with (
        loop.trainer(database_url=database) as (client, _),
        loop.trainer(database_url=database, data_dir=other),
    ):
        await client.update_settings("p", active_learning=policy)
        await loop.annotate("p", 10)
        await client.learned("p", lambda s: "was not to be deployed" in s.message)
        # only now: a run takes whatever was counted when it began, on a busy machine more than ten
        await loop.annotate("p", 5, first=10)
        state = await client.learned("p", lambda s: s.new_completions == 5)
        assert len(await client.jobs("p")) == 1
        assert len(state.training_jobs) == 1


async def test_a_policy_that_is_switched_off_counts_no_more(loop: Loop) -> None:
    await loop.annotation.project("p", "PARTY")
    on = ActiveLearningPolicy(enabled=True, min_new_completions=3)
    async with loop.trainer() as (client, _):
        await client.update_settings("p", active_learning=on)
        await loop.annotate("p", 1)
        await client.learned("p", lambda state: state.new_completions == 1)
        await client.update_settings("p", active_learning=ActiveLearningPolicy())
        await loop.annotate("p", 5, first=1)
        assert await client.jobs("p") == []
        # on again, it goes on where it stood
        await client.update_settings("p", active_learning=on)
        await client.learned("p", lambda state: bool(state.training_jobs))


async def test_the_group_of_a_mixed_project_is_trained(loop: Loop) -> None:
    await loop.mixed("m", count=8)
    policy = ActiveLearningPolicy(
        enabled=True, min_new_completions=8, template=TrainingJob(data=TrainingData())
    )
    async with loop.trainer(workers=0) as (client, _):
        await client.update_settings("m", active_learning=policy)
        state = await client.learned("m", lambda state: len(state.training_jobs) == 3)
        jobs = await client.jobs("m")
        assert [job.name for job in jobs] == list(state.training_jobs)
        assert {job.source for job in jobs} == {TRAINING_SOURCE_ACTIVE_LEARNING}
