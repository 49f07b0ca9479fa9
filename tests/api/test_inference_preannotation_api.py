"""Pre-annotation over three real servers: open tasks in, predictions out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from services.common.errors import Reason
from spanloop.annotation.v1 import annotation_service_pb2 as annotation_pb
from spanloop.annotation.v1.prediction_pb2 import Prediction
from spanloop.inference.v1 import inference_service_pb2 as pb
from spanloop.inference.v1 import preannotation_job_pb2 as jobs
from tests.support import client_channel, running
from tests.support.annotation import AnnotationClient, annotation_settings
from tests.support.annotation import build as build_annotation
from tests.support.inference import (
    TEXT,
    InferenceClient,
    deploy,
    golden,
    inference,
    publish,
    registry_at,
    spans_of,
    tiny_adapter,
    until,
)
from tests.support.outage import Outage
from tests.support.registry import RegistryClient, refused

PARTY, DATE = tiny_adapter("PARTY"), tiny_adapter("DATE")
WAITING = jobs.PREANNOTATION_JOB_STATE_WAITING
RUNNING = jobs.PREANNOTATION_JOB_STATE_RUNNING
DONE = jobs.PREANNOTATION_JOB_STATE_DONE
FAILED = jobs.PREANNOTATION_JOB_STATE_FAILED
CANCELLED = jobs.PREANNOTATION_JOB_STATE_CANCELLED


@dataclass(frozen=True, kw_only=True)
class Loop:
    registry: RegistryClient
    annotation: AnnotationClient
    inference: InferenceClient

    async def tasks(self, count: int) -> None:
        lines = [json.dumps({"id": str(i), "text": f"{TEXT} word{i}"}) for i in range(count)]
        parent = await self.annotation.project("p", "PARTY", "DATE")
        answer = await self.annotation.load(parent, "\n".join(lines).encode())
        assert answer.imported_tasks == count

    async def create(self, request_id: str = "", **fields: object) -> jobs.PreannotationJob:
        request = pb.CreatePreannotationJobRequest(
            parent="projects/p",
            preannotation_job=jobs.PreannotationJob(**fields),  # type: ignore[arg-type]
            request_id=request_id,
        )
        return (await self.inference.stub.CreatePreannotationJob(request)).preannotation_job

    async def get(self, name: str) -> jobs.PreannotationJob:
        request = pb.GetPreannotationJobRequest(name=name)
        return (await self.inference.stub.GetPreannotationJob(request)).preannotation_job

    async def cancel(self, name: str) -> jobs.PreannotationJob:
        request = pb.CancelPreannotationJobRequest(name=name)
        return (await self.inference.stub.CancelPreannotationJob(request)).preannotation_job

    async def watch(self, name: str) -> list[pb.WatchPreannotationJobResponse]:
        call = self.inference.stub.WatchPreannotationJob(pb.WatchPreannotationJobRequest(name=name))
        return [message async for message in call]

    async def finished(self, name: str) -> jobs.PreannotationJob:
        return (await self.watch(name))[-1].preannotation_job

    async def predictions(self) -> list[Prediction]:
        found: list[Prediction] = []
        token = ""
        while True:
            request = annotation_pb.ListPredictionsRequest(
                parent="projects/p/tasks/-", page_size=1000, page_token=token
            )
            answer = await self.annotation.stub.ListPredictions(request)
            found += answer.predictions
            token = answer.next_page_token
            if not token:
                return found


@asynccontextmanager
async def annotation_at(
    folder: Path, listen: str = "127.0.0.1:0"
) -> AsyncIterator[tuple[AnnotationClient, str]]:
    settings = annotation_settings(folder).model_copy(update={"listen": listen})
    async with running(settings, build_annotation) as server, client_channel(server) as channel:
        await channel.channel_ready()
        yield AnnotationClient(channel), server.address


@asynccontextmanager
async def whole_loop(folder: Path, **fields: object) -> AsyncIterator[Loop]:
    async with (
        registry_at(folder) as (registry, address),
        annotation_at(folder) as (annotation, annotation_address),
        inference(folder, address, annotation_address=annotation_address, **fields) as client,
    ):
        yield Loop(registry=registry, annotation=annotation, inference=client)


@pytest.fixture
async def loop(tmp_path: Path) -> AsyncIterator[Loop]:
    async with whole_loop(tmp_path, preannotation_page_size=7) as loop:
        yield loop


async def test_every_open_task_gets_the_prediction_of_the_generation(loop: Loop) -> None:
    await loop.tasks(40)
    version = await deploy(loop.registry, "p", [PARTY, DATE])
    closed = (await loop.annotation.tasks("projects/p"))[3]
    await loop.annotation.complete(closed.name)
    job = await loop.create()
    assert job.state == WAITING
    messages = await loop.watch(job.name)
    states = [message.preannotation_job.state for message in messages]
    assert states[-1] == DONE
    job = messages[-1].preannotation_job
    assert (job.total_tasks, job.done_tasks, job.written_predictions) == (39, 39, 39)
    assert job.generation == "projects/p/generations/1"
    assert job.start_time.ToNanoseconds() <= job.end_time.ToNanoseconds()
    texts = {task.name: task.text for task in await loop.annotation.tasks("projects/p")}
    predictions = await loop.predictions()
    assert {one.task for one in predictions} == set(texts) - {closed.name}
    for one in predictions:
        assert spans_of(one) == spans_of(golden([PARTY, DATE], texts[one.task]))
        assert one.adapters["DATE"] == DATE.manifest.digest
        assert one.model_versions["DATE"] == version

    # Once more on the same generation: done again, nothing written.
    again = await loop.finished((await loop.create()).name)
    assert (again.done_tasks, again.written_predictions) == (39, 0)
    assert len(await loop.predictions()) == 39


async def test_labels_and_min_score_are_kept(loop: Loop) -> None:
    await loop.tasks(3)
    await deploy(loop.registry, "p", [PARTY, DATE])
    job = await loop.finished((await loop.create(labels=["DATE"], min_score=0.7)).name)
    assert job.state == DONE
    spans = [span for one in await loop.predictions() for span in one.spans]
    assert spans
    assert all(span.label == "DATE" and span.score >= 0.7 for span in spans)


async def test_after_a_swap_only_what_it_changed_is_predicted_again(loop: Loop) -> None:
    await loop.tasks(20)
    first = await deploy(loop.registry, "p", [PARTY, DATE])
    done = await loop.finished((await loop.create(stale_only=True)).name)
    assert (done.skipped_tasks, done.written_predictions) == (0, 20)
    again = await loop.finished((await loop.create(stale_only=True)).name)
    assert (again.done_tasks, again.skipped_tasks, again.written_predictions) == (20, 20, 0)

    async def deployed(revision: int, **fields: object) -> jobs.PreannotationJob:
        await loop.inference.ready(revision)
        job = await loop.finished((await loop.create(**fields)).name)
        assert job.state == DONE, job
        return job

    # The same adapters under the name of another version: nothing is stale.
    same = await publish(loop.registry, "p", [PARTY, DATE])
    await loop.registry.deploy(same)
    job = await deployed(2, stale_only=True)
    assert (job.stale_only, job.skipped_tasks, job.written_predictions) == (True, 20, 0)
    # Another adapter for PARTY: what names the old one is, for a job that asks both or PARTY alone.
    await deploy(loop.registry, "p", [tiny_adapter("PARTY", seed=2), DATE])
    job = await deployed(3, stale_only=True)
    assert (job.skipped_tasks, job.written_predictions) == (0, 20)
    # Back again: the newest prediction counts, not an older one of the same adapters.
    await loop.registry.deploy(first)
    job = await deployed(4, stale_only=True, labels=["DATE"])
    assert (job.skipped_tasks, job.written_predictions) == (0, 20)
    assert len(await loop.predictions()) == 60


async def test_a_project_without_deployment_fails_and_says_why(tmp_path: Path) -> None:
    async with whole_loop(tmp_path, preannotation_deploy_wait_seconds=0.2) as loop:
        await loop.annotation.project("p")
        job = await loop.finished((await loop.create()).name)
        assert job.state == FAILED
        assert "deploy" in job.failure_message


async def test_an_unknown_project_and_label_fail(loop: Loop) -> None:
    await deploy(loop.registry, "p", [PARTY])
    job = await loop.finished((await loop.create()).name)
    assert job.state == FAILED
    assert "projects/p" in job.failure_message
    await loop.tasks(1)
    job = await loop.finished((await loop.create(labels=["NOPE"])).name)
    assert job.state == FAILED
    assert "NOPE" in job.failure_message


async def test_a_project_without_open_tasks_is_done_at_once(loop: Loop) -> None:
    await loop.annotation.project("p")
    await deploy(loop.registry, "p", [PARTY])
    job = await loop.finished((await loop.create()).name)
    assert (job.state, job.total_tasks) == (DONE, 0)


async def test_cancel_ends_a_running_job_and_what_was_written_stays(tmp_path: Path) -> None:
    async with whole_loop(tmp_path, preannotation_page_size=1) as loop:
        await loop.tasks(300)
        await deploy(loop.registry, "p", [PARTY, DATE])
        job = await loop.create()

        async def some_done() -> bool:
            return (await loop.get(job.name)).done_tasks > 2

        await until(some_done)
        assert (await loop.cancel(job.name)).cancel_requested
        ended = await loop.finished(job.name)
        assert ended.state == CANCELLED
        assert 0 < ended.done_tasks < 300
        assert len(await loop.predictions()) >= ended.written_predictions > 0
        with refused(grpc.StatusCode.FAILED_PRECONDITION, Reason.STATE_CONFLICT):
            await loop.cancel(job.name)


async def test_a_waiting_job_is_cancelled_at_once(loop: Loop) -> None:
    # The first one waits for a deployment, so the second one stays in the queue.
    await loop.annotation.project("p")
    first = await loop.create()
    second = await loop.create()
    cancelled = await loop.cancel(second.name)
    assert (cancelled.state, cancelled.cancel_requested) == (CANCELLED, True)
    assert (await loop.finished(second.name)).state == CANCELLED
    await loop.cancel(first.name)
    assert (await loop.finished(first.name)).state == CANCELLED


async def test_request_ids_lists_and_unknown_names(loop: Loop) -> None:
    await loop.annotation.project("p")
    await deploy(loop.registry, "p", [PARTY])
    first = await loop.create("r1", min_score=0.5)
    assert (await loop.create("r1", min_score=0.5)).name == first.name
    with refused(grpc.StatusCode.INVALID_ARGUMENT, Reason.REQUEST_ID_REUSED):
        await loop.create("r1", min_score=0.6)
    names = [first.name, (await loop.create()).name, (await loop.create()).name]
    for parent in ("projects/p", "projects/-"):
        found: list[str] = []
        token = ""
        while True:
            answer = await loop.inference.stub.ListPreannotationJobs(
                pb.ListPreannotationJobsRequest(parent=parent, page_size=2, page_token=token)
            )
            found += [job.name for job in answer.preannotation_jobs]
            token = answer.next_page_token
            if not token:
                break
        assert found == names[::-1]
    missing = "projects/p/preannotationJobs/none"
    with refused(grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND, resource=missing):
        await loop.get(missing)
    with refused(grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
        await loop.get(first.name.replace("projects/p/", "projects/q/"))
    with refused(grpc.StatusCode.NOT_FOUND, Reason.RESOURCE_NOT_FOUND):
        await loop.watch(missing)
    with refused(
        grpc.StatusCode.INVALID_ARGUMENT,
        Reason.FIELD_INVALID,
        field="preannotation_job.min_score",
    ):
        await loop.create(min_score=2)


async def test_watch_sends_heartbeats_while_nothing_changes(tmp_path: Path) -> None:
    async with whole_loop(tmp_path, watch_heartbeat_seconds=0.1) as loop:
        await loop.annotation.project("p")
        job = await loop.create()
        call = loop.inference.stub.WatchPreannotationJob(
            pb.WatchPreannotationJobRequest(name=job.name)
        )
        kinds = [(await call.read()).WhichOneof("payload") for _ in range(6)]
        call.cancel()
        assert kinds[0] == "preannotation_job"
        assert kinds.count("heartbeat") >= 3


async def test_continues_when_the_annotation_service_comes_back(tmp_path: Path) -> None:
    async with (
        registry_at(tmp_path) as (registry, address),
        annotation_at(tmp_path) as (_, annotation_address),
    ):
        pass
    async with (
        registry_at(tmp_path, address) as (registry, _),
        inference(
            tmp_path, address, annotation_address=annotation_address, preannotation_page_size=5
        ) as client,
    ):
        await deploy(registry, "p", [PARTY, DATE])
        async with annotation_at(tmp_path, annotation_address) as (annotation, _):
            loop = Loop(registry=registry, annotation=annotation, inference=client)
            await loop.tasks(20)
        job = await loop.create()
        await client.ready()
        await asyncio.sleep(0.3)
        assert (await loop.get(job.name)).state == RUNNING
        async with annotation_at(tmp_path, annotation_address) as (annotation, _):
            loop = Loop(registry=registry, annotation=annotation, inference=client)
            ended = await loop.finished(job.name)
            assert (ended.state, ended.written_predictions) == (DONE, 20)


async def test_outlasts_the_annotation_service_going_away_in_the_middle(tmp_path: Path) -> None:
    async with annotation_at(tmp_path) as (_, annotation_address):
        pass
    fields = {"annotation_address": annotation_address, "preannotation_page_size": 1}
    async with (
        registry_at(tmp_path) as (registry, address),
        inference(tmp_path, address, **fields) as client,
    ):
        async with annotation_at(tmp_path, annotation_address) as (annotation, _):
            loop = Loop(registry=registry, annotation=annotation, inference=client)
            await loop.tasks(80)
            await deploy(registry, "p", [PARTY, DATE])
            job = await loop.create()

            async def some_done() -> bool:
                return (await loop.get(job.name)).done_tasks > 5

            await until(some_done)
        before = await loop.get(job.name)
        assert before.state == RUNNING
        assert before.done_tasks < 80
        # Callers do not notice.
        for _ in range(5):
            assert (await client.predict()).predictions
        async with annotation_at(tmp_path, annotation_address) as (annotation, _):
            loop = Loop(registry=registry, annotation=annotation, inference=client)
            ended = await loop.finished(job.name)
            assert (ended.state, ended.done_tasks) == (DONE, 80)
            assert len({one.task for one in await loop.predictions()}) == 80


async def test_outlasts_its_own_database_going_away_in_the_middle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outage = Outage(monkeypatch, "inference")
    fields = {"preannotation_page_size": 1, "preannotation_lease_seconds": 0.5}
    async with whole_loop(tmp_path, **fields) as loop:
        await loop.tasks(80)
        await deploy(loop.registry, "p", [PARTY, DATE])
        job = await loop.create()

        async def some_done() -> bool:
            return (await loop.get(job.name)).done_tasks > 5

        await until(some_done)
        outage.away = True
        refusals = outage.refused

        async def tried() -> bool:
            return outage.refused > refusals + 2

        await until(tried)
        with refused(grpc.StatusCode.UNAVAILABLE, Reason.STORE_UNAVAILABLE):
            await loop.get(job.name)
        outage.away = False
        ended = await loop.finished(job.name)
        assert (ended.state, ended.done_tasks) == (DONE, 80)
        assert len(await loop.predictions()) == 80


async def test_a_stopped_server_leaves_the_job_to_the_next(tmp_path: Path) -> None:
    async with (
        registry_at(tmp_path) as (registry, address),
        annotation_at(tmp_path) as (annotation, annotation_address),
    ):
        fields = {"annotation_address": annotation_address, "preannotation_page_size": 1}
        async with inference(tmp_path, address, **fields) as client:
            loop = Loop(registry=registry, annotation=annotation, inference=client)
            await loop.tasks(120)
            await deploy(registry, "p", [PARTY, DATE])
            job = await loop.create()

            async def some_done() -> bool:
                return (await loop.get(job.name)).done_tasks > 2

            await until(some_done)
        async with inference(tmp_path, address, **fields) as client:
            loop = Loop(registry=registry, annotation=annotation, inference=client)
            ended = await loop.finished(job.name)
        assert (ended.state, ended.done_tasks, ended.total_tasks) == (DONE, 120, 120)
        assert len({one.task for one in await loop.predictions()}) == 120
