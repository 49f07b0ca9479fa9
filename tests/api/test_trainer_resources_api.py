"""Workers, slots and shortages over a real server, with a child that computes nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from services.common.errors import Reason
from spanloop.trainer.v1 import resource_service_pb2 as pb
from spanloop.trainer.v1.training_job_pb2 import TrainingFailureReason, TrainingResources
from tests.support.registry import refused
from tests.support.trainer import Loop, TrainerClient, running_loop, state_of

GIB = 1024**3


@pytest.fixture
async def loop(tmp_path: Path) -> AsyncIterator[Loop]:
    async with running_loop(tmp_path) as made:
        yield made


async def listed(client: TrainerClient, workers: int) -> pb.ListResourcesResponse:
    """Wait until so many workers are listed."""
    async with asyncio.timeout(20):
        while True:
            answer = await client.resources.ListResources(pb.ListResourcesRequest())
            if len(answer.workers) == workers:
                return answer
            await asyncio.sleep(0.05)


def other(loop: Loop) -> Path:
    """Return a data directory for a second trainer, with the same token."""
    folder = loop.data.parent / "other"
    folder.mkdir()
    (folder / "token").write_text((loop.data / "token").read_text())
    (folder / "token").chmod(0o600)
    return folder


async def test_workers_show_what_they_have_and_run(loop: Loop) -> None:
    snapshot = await loop.snapshot()
    loop.control_child(hold=2)
    slots = {"workers": 2, "cpu_slots": 3, "gpus": 1, "memory_bytes": 4 * GIB}
    async with loop.trainer(**slots) as (client, _):
        await listed(client, 1)
        one = await client.create(
            snapshot, resources=TrainingResources(cpu=2, gpu=1, memory_bytes=GIB)
        )
        # defaults are filled in
        two = await client.create(snapshot, resources=TrainingResources(cpu=2))
        assert (two.resources.cpu, two.resources.gpu) == (2, 0)
        running = await client.until(one.name, lambda job: job.progress.epoch == 2)
        answer = await listed(client, 1)
        (worker,) = answer.workers
        assert worker.id == running.worker
        assert (worker.capacity.cpu, worker.capacity.gpu, worker.max_jobs) == (3, 1, 2)
        assert (worker.free.cpu, worker.free.gpu, worker.free.memory_bytes) == (1, 0, 3 * GIB)
        assert worker.gpu_available
        assert list(worker.execution_providers) == ["CPUExecutionProvider"]
        assert "ladder" in worker.engines
        assert worker.last_seen_time.ToSeconds()
        (job,) = worker.jobs
        assert (job.training_job, job.resources) == (one.name, one.resources)
        assert job.start_time == running.start_time
        # there is a job slot left, and no processor slots for the second
        assert answer.waiting_jobs == 1
        assert state_of(await client.get(two.name)) == "WAITING"
        # the child was told what it has
        spec = loop.data / "trainer" / "jobs" / one.name.split("/")[-1] / "spec.json"
        told = json.loads(spec.read_text())
        assert (told["threads"], told["use_gpu"], told["providers"]) == (2, True, "cuda")
        environment = json.loads((loop.control / "environment").read_text())
        assert environment["CUDA_VISIBLE_DEVICES"] == "0"
        loop.control_child(hold=None)
        assert state_of(await client.end(one.name)) == "DONE"
        assert state_of(await client.end(two.name)) == "DONE"
        environment = json.loads((loop.control / "environment").read_text())
        assert environment["CUDA_VISIBLE_DEVICES"] == ""


async def test_several_trainers_are_listed_and_what_none_can_do_is_refused(loop: Loop) -> None:
    snapshot = await loop.snapshot()
    database = f"sqlite:///{loop.data.parent}/shared.db"
    shared = {"database_url": database, "worker_beat_seconds": 0.2}
    async with loop.trainer(workers=0, **shared) as (api, _):
        assert not (await listed(api, 0)).workers
        large = TrainingResources(cpu=5)
        # nobody is known yet
        early = await api.create(snapshot, resources=large)
        assert state_of(early) == "WAITING"
        folder = other(loop)
        async with loop.trainer(data_dir=folder, cpu_slots=5, **shared):
            (worker,) = (await listed(api, 1)).workers
            assert worker.capacity.cpu == 5
            assert not worker.gpu_available
            assert state_of(await api.end(early.name)) == "DONE"
            with refused(grpc.StatusCode.FAILED_PRECONDITION, Reason.RESOURCES_INSUFFICIENT):
                await api.create(snapshot, resources=TrainingResources(cpu=6))
            with refused(grpc.StatusCode.FAILED_PRECONDITION, Reason.RESOURCES_INSUFFICIENT):
                await api.create(snapshot, resources=TrainingResources(gpu=1))
            field = "training_job.resources.cpu"
            with refused(grpc.StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, field=field):
                await api.create(snapshot, resources=TrainingResources(cpu=-1))
        # a worker that stops is gone at once
        assert not (await listed(api, 0)).workers


async def test_a_job_whose_workers_vanish_says_so_and_fails(loop: Loop) -> None:
    snapshot = await loop.snapshot()
    async with loop.trainer(workers=0, worker_beat_seconds=0.1, unfit_seconds=2) as (client, _):
        job = await client.create(snapshot)
        told = await client.until(job.name, lambda job: bool(job.waiting_reason))
        assert "No worker is alive" in told.waiting_reason
        failed = await client.end(job.name)
    assert state_of(failed) == "FAILED"
    reasons = TrainingFailureReason
    assert failed.failure.reason == reasons.TRAINING_FAILURE_REASON_RESOURCES_INSUFFICIENT
    assert failed.waiting_reason == ""
