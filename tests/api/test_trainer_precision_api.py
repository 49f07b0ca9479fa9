"""The registry chooses the precision of a trunk for the trainer's jobs, over real servers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from services.common.errors import Reason
from spanloop.registry.v1 import registry_service_pb2 as registry_pb
from spanloop.registry.v1 import server_pb2
from spanloop.registry.v1 import server_service_pb2 as server_pb
from spanloop.trainer.v1.training_job_pb2 import TrainingFailureReason, TrainingJob
from tests.support.registry import refused
from tests.support.trainer import Loop, TrainerClient, log_lines, running_loop, state_of

CPU, CUDA = server_pb2.DEVICE_CPU, server_pb2.DEVICE_CUDA


@pytest.fixture
async def loop(tmp_path: Path) -> AsyncIterator[Loop]:
    async with running_loop(tmp_path) as made:
        yield made


async def report(loop: Loop, name: str, device: Any) -> None:
    server = server_pb2.InferenceServer(name=f"servers/{name}", device=device)
    await loop.registry.server_stub.ReportServer(
        server_pb.ReportServerRequest(server=server, time_to_live=Duration(seconds=3600))
    )


async def trained(client: TrainerClient, snapshot: str, **fields: Any) -> TrainingJob:
    return await client.end((await client.create(snapshot, **fields)).name)


async def precision_of(loop: Loop, job: TrainingJob) -> str:
    """Return the precision of the trunk that a job's version reads."""
    version = await loop.registry.get_version(job.model_version)
    name = f"trunks/{version.trunk_digest.removeprefix('sha256:')}"
    answer = await loop.registry.stub.GetTrunk(registry_pb.GetTrunkRequest(name=name))
    return answer.trunk.precision


async def test_jobs_train_on_what_the_servers_read(loop: Loop) -> None:
    snapshot = await loop.snapshot()
    async with loop.trainer() as (client, _):
        waiting = await client.create(snapshot)
        assert not waiting.HasField("trunk_precision")
        alone = await client.end(waiting.name)
        assert state_of(alone) == "DONE", alone.failure
        assert alone.trunk_precision.precision == "fp32"
        assert "No inference server" in alone.trunk_precision.reason
        await report(loop, "one", CUDA)
        job = await trained(client, snapshot)
        assert job.trunk_source == "embedded:tiny"
        assert job.trunk_precision.precision == "fp16"
        assert await precision_of(loop, job) == "fp16"
        spec = json.loads((loop.control / "spec").read_text())
        assert spec["trunk_source"] == "embedded:tiny@fp16"
        assert "cuda_precision is fp16" in spec["trunk_precision_reason"]
        # What its precision is held against was registered by the first job.
        assert spec["precision_check"]["fp32_folder"]
        assert spec["precision_check"]["min_spans"] == 200
        lines = log_lines(await client.watch(job.name))
        assert any("is read in fp16. The registry chose it" in line for _, line in lines)
        explicit = await trained(client, snapshot, trunk_source="embedded:tiny@fp32")
        assert explicit.trunk_precision.reason == "The job asks for it."
        assert explicit.trunk_source == "embedded:tiny@fp32"
        assert await precision_of(loop, explicit) == "fp32"
        await report(loop, "two", CPU)
        mixed = await trained(client, snapshot)
        assert mixed.trunk_precision.precision == "fp32"
        assert "serves on both" in mixed.trunk_precision.reason


async def test_a_new_device_breaks_no_transfer(loop: Loop) -> None:
    snapshot = await loop.snapshot()
    async with loop.trainer() as (client, _):
        await report(loop, "one", CUDA)
        base = await trained(client, snapshot)
        assert base.trunk_precision.precision == "fp16"
        await report(loop, "one", CPU)
        transfer = {"model_version": base.model_version}
        for fields in (
            {"transfer": transfer},
            {"transfer": transfer, "trunk_source": "embedded:tiny"},
            {"base_model_version": base.model_version, "labels": ["DATE"]},
        ):
            after = await trained(client, snapshot, **fields)
            assert state_of(after) == "DONE", after.failure
            assert after.trunk_precision.precision == "fp16"
            assert "would choose fp32" in after.trunk_precision.reason
            assert await precision_of(loop, after) == "fp16"
        with refused(grpc.StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID):
            await client.create(snapshot, transfer=transfer, trunk_source="embedded:tiny@fp32")


async def test_a_refused_choice_is_trained_again_in_fp32(loop: Loop) -> None:
    snapshot = await loop.snapshot()
    loop.control_child(refuse="yes", epochs=1)
    async with loop.trainer() as (client, _):
        await report(loop, "one", CUDA)
        job = await trained(client, snapshot)
        assert state_of(job) == "DONE", job.failure
        assert job.attempt == 1
        assert job.trunk_precision.precision == "fp32"
        assert "It costs PARTY too much." in job.trunk_precision.reason
        assert await precision_of(loop, job) == "fp32"
        lines = [line for _, line in log_lines(await client.watch(job.name))]
        assert any("Training again on the trunk in fp32" in line for line in lines)
        asked = await trained(client, snapshot, trunk_source="embedded:tiny@int8")
        assert state_of(asked) == "FAILED"
        reason = TrainingFailureReason.TRAINING_FAILURE_REASON_PRECISION_REFUSED
        assert (asked.failure.reason, asked.failure.message) == (
            reason,
            "It costs PARTY too much.",
        )
