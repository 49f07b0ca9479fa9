"""The whole loop through four real processes: swaps under load, kills, mistakes."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from examples.demo.load import Load
from spanloop import AsyncClient, Client, ClientOptions, RetryPolicy
from spanloop.cli._stack import Stack
from spanloop.errors import InvalidArgument, NotFound, SpanloopError
from spanloop.types import (
    GenerationState,
    GivenSplits,
    PreannotationJobState,
    TaskStatus,
    TextPrediction,
    TrainingJob,
    TrainingJobState,
    TrainingParameters,
)

SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "contract_clauses" / "clauses.jsonl"
PROJECT = "contracts"
TEXT = "The Tenant shall pay EUR 900 to Hale Ltd in Antwerp within 30 days of 1 May 2027."
QUICK = TrainingParameters(epochs=3)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    with stack.client() as opened:
        yield opened


def some_clauses(count: int) -> bytes:
    """The first clauses of each split, so that all of them are there."""
    lines = SAMPLE.read_text(encoding="utf-8").splitlines()
    chosen: dict[str, list[str]] = {}
    for line in lines:
        chosen.setdefault(json.loads(line)["split"], []).append(line)
    return "\n".join(line for split in chosen.values() for line in split[:count]).encode()


def finished(client: Client, job: TrainingJob) -> TrainingJob:
    for update in client.watch_training_job(job):
        if isinstance(update, TrainingJob):
            job = update
    return job


def train(client: Client, seed: int, project: str = PROJECT) -> TrainingJob:
    snapshot = client.create_snapshot(project, split_policy=GivenSplits())
    job = client.create_training_job(
        project, snapshot=snapshot, parameters=TrainingParameters(epochs=3, seed=seed)
    )
    job = finished(client, job)
    assert job.state is TrainingJobState.DONE, job.failure
    return job


def serving(client: Client, revision: int, project: str = PROJECT) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        for generation in client.serving_state(project).generations:
            if generation.deployment_revision == revision:
                assert generation.state is not GenerationState.ERROR, generation.error_message
                if generation.state is GenerationState.READY:
                    return
        time.sleep(0.05)
    raise AssertionError(f"revision {revision} is not served")


@pytest.mark.timeout(300)
def test_the_loop_closes_and_survives(stack: Stack, client: Client) -> None:
    """One run through the loop; each part builds on the state that the one before left."""
    client.create_project(PROJECT)
    report = client.import_file(PROJECT, some_clauses(40), create_labels=True)
    assert report.imported_tasks == 120
    assert report.refused_tasks == 0

    first = train(client, seed=0)
    assert first.model_version.endswith("/ner_contracts_v1")
    assert first.evaluation is not None
    assert {str(split.split) for split in first.evaluation.splits} >= {"dev", "test"}
    version = client.get_model_version(first.model_version)
    assert version.state == "ready"
    assert version.parity is not None
    assert version.parity.max_abs_diff <= 1e-3
    assert version.parity.texts > 0
    deployed = client.deploy(PROJECT, first.model_version)
    serving(client, deployed.revision)

    _training_survives_a_killed_worker_and_a_killed_server(stack, client)
    asyncio.run(_swaps_lose_no_request(stack))
    _nothing_acknowledged_is_lost_when_a_service_is_killed(stack, client)
    _open_tasks_are_pre_annotated_once(client)
    _mistakes_are_told(stack, client)


def _training_survives_a_killed_worker_and_a_killed_server(stack: Stack, client: Client) -> None:
    from psutil import Process

    snapshot = client.create_snapshot(PROJECT)
    job = client.create_training_job(
        PROJECT, snapshot=snapshot, parameters=TrainingParameters(epochs=60, patience=60, seed=1)
    )
    for update in client.watch_training_job(job):
        if isinstance(update, TrainingJob) and len(update.epochs) >= 2:
            break
    trainer = Process(stack.processes["trainer"].pid)
    (worker,) = [
        child
        for child in trainer.children(recursive=True)
        if "worker_main" in " ".join(child.cmdline())
    ]
    worker.kill()
    for update in client.watch_training_job(job):
        if isinstance(update, TrainingJob) and update.attempt == 2 and len(update.epochs) > 4:
            break
    assert stack.kill_service("trainer") == -signal.SIGKILL
    stack.start_service("trainer")
    stack.wait_serving("trainer")
    done = finished(client, client.get_training_job(job))
    assert done.state is TrainingJobState.DONE, done.failure
    assert done.attempt == 3
    assert [epoch.epoch for epoch in done.epochs] == sorted({e.epoch for e in done.epochs})
    names = [version.name for version in client.list_model_versions(PROJECT)]
    assert sorted(name.rpartition("_v")[2] for name in names) == ["1", "2"], "exactly one appeared"
    resumed = [
        update.message
        for update in client.watch_training_job(job)
        if not isinstance(update, TrainingJob) and "resumed after epoch" in update.message
    ]
    assert resumed, "it went on from a checkpoint"


async def _swaps_lose_no_request(stack: Stack) -> None:
    options = ClientOptions(retry=RetryPolicy(attempts=1))
    async with AsyncClient(endpoints=stack.endpoints, token=stack.token, options=options) as client:
        golden: dict[int, TextPrediction] = {}
        async with Load(client, PROJECT, [TEXT]) as load:
            for version in ("ner_contracts_v2", "ner_contracts_v1", "ner_contracts_v2"):
                deployment = await client.deploy(PROJECT, version)
                await load.answered(deployment.revision, timeout=30)
                answer = await client.predict(PROJECT, [TEXT])
                assert answer.generation.deployment_revision == deployment.revision
                assert {
                    v.rpartition("/")[2] for v in answer.generation.model_versions.values()
                } == {version}
                (golden[deployment.revision],) = answer.predictions
            rolled = await client.rollback(PROJECT)
            await load.answered(rolled.revision, timeout=30)
        assert load.failures == []
        revisions = sorted(golden)
        one, other = (golden[revisions[place]].spans for place in (0, 2))
        assert [(s.start, s.end, s.label) for s in one] == [
            (s.start, s.end, s.label) for s in other
        ]
        # The load's texts may share a run with it, which changes last bits.
        assert [s.score for s in one] == pytest.approx([s.score for s in other], abs=1e-4)
        pinned = await client.predict(
            PROJECT, [TEXT], labels=["PARTY"], pins={"PARTY": "ner_contracts_v2"}
        )
        assert pinned.generation.model_versions["PARTY"].endswith("ner_contracts_v2")
        assert set(pinned.generation.adapters) == {"PARTY"}


def _nothing_acknowledged_is_lost_when_a_service_is_killed(stack: Stack, client: Client) -> None:
    task = next(iter(client.list_tasks(PROJECT)))
    completion = client.create_completion(task, author="ada", spans=[], submit=True)
    deployment = client.get_deployment(PROJECT)
    before = client.predict(PROJECT, [TEXT])
    for service in ("annotation", "registry", "inference"):
        assert stack.kill_service(service) == -signal.SIGKILL
        if service == "registry":  # inference serves on without it
            assert client.predict(PROJECT, [TEXT]) == before
        stack.start_service(service)
        stack.wait_serving(service)
    assert client.get_completion(completion.name) == completion
    assert client.get_deployment(PROJECT) == deployment
    serving(client, deployment.revision)
    assert client.predict(PROJECT, [TEXT]) == before


def _open_tasks_are_pre_annotated_once(client: Client) -> None:
    texts = "\n".join(json.dumps({"text": f"{TEXT} No. {n}."}) for n in range(30)).encode()
    assert client.import_file(PROJECT, texts).imported_tasks == 30
    for written in (30, 0):  # a second run over the same generation has nothing to write
        job = client.create_preannotation_job(PROJECT)
        *_, job = client.watch_preannotation_job(job)
        assert job.state is PreannotationJobState.DONE, job.failure_message
        assert (job.done_tasks, job.written_predictions) == (30, written)
    tasks = list(client.list_tasks(PROJECT, statuses=[TaskStatus.INCOMPLETE]))
    assert len(tasks) == 30
    (prediction,) = client.list_predictions(tasks[0])
    assert prediction.generation == job.generation
    answer = client.predict(PROJECT, [tasks[0].text])
    # Read with other texts, a score may differ in its last bits.
    expected = answer.predictions[0].spans
    assert [(s.start, s.end, s.label) for s in prediction.spans] == [
        (s.start, s.end, s.label) for s in expected
    ]
    assert [s.score for s in prediction.spans] == pytest.approx([s.score for s in expected])
    assert prediction.adapters == answer.generation.adapters


def _mistakes_are_told(stack: Stack, client: Client) -> None:
    with pytest.raises(NotFound) as unknown:
        client.predict(PROJECT, [TEXT], pins={"PARTY": "ner_contracts_v99"})
    assert unknown.value.reason == "MODEL_VERSION_UNKNOWN"
    with pytest.raises(InvalidArgument) as wanted:
        client.predict(PROJECT, [TEXT], labels=["NOPE"])
    assert wanted.value.reason == "LABEL_UNKNOWN"
    with pytest.raises(SpanloopError) as refused:
        Client(endpoints=stack.endpoints, token="wrong").list_tasks(PROJECT).__next__()
    assert refused.value.reason == "CREDENTIALS_INVALID"
    with pytest.raises(SpanloopError) as late:
        client.predict(PROJECT, [TEXT], timeout=0.0001)
    assert late.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
