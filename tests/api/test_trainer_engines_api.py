"""Engines and parameters over a real server, with a child that computes nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from services.common.errors import Reason
from spanloop.common.v1.evaluation_pb2 import ModelType
from spanloop.trainer.v1 import resource_service_pb2 as pb
from spanloop.trainer.v1.training_job_pb2 import TrainingParameters, TransferLearning
from tests.support.registry import refused
from tests.support.trainer import Loop, TrainerClient, running_loop, state_of

INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest.fixture
async def loop(tmp_path: Path) -> AsyncIterator[Loop]:
    async with running_loop(tmp_path) as made:
        yield made


@pytest.fixture
async def idle(loop: Loop) -> AsyncIterator[TrainerClient]:
    async with loop.trainer(workers=0) as (client, _):
        yield client


async def test_engines_are_described(idle: TrainerClient) -> None:
    answer = await idle.resources.DescribeParameters(pb.DescribeParametersRequest())
    engines = {engine.engine: engine for engine in answer.engines}
    assert list(engines) == sorted(engines)
    assert set(engines) >= {"full", "ladder", "lora"}
    assert engines["ladder"].transfer
    assert not engines["full"].transfer
    assert ModelType.MODEL_TYPE_ASSERTION in engines["lora"].model_types
    parameters = {entry.name: entry for entry in engines["lora"].parameters}
    assert set(TrainingParameters.DESCRIPTOR.fields_by_name) - {"engine_options"} <= set(parameters)
    rank = parameters["rank"]
    assert (rank.engine_option, rank.type, rank.default_value, rank.minimum) == (
        *(True, "integer", "16"),
        1,
    )
    one = await idle.resources.DescribeParameters(
        pb.DescribeParametersRequest(engine="full", model_type=ModelType.MODEL_TYPE_ASSERTION)
    )
    assert [engine.engine for engine in one.engines] == ["full"]
    with refused(INVALID, Reason.FIELD_INVALID, field="engine"):
        await idle.resources.DescribeParameters(pb.DescribeParametersRequest(engine="none"))


async def test_jobs_ask_of_an_engine_what_it_can_do(loop: Loop, idle: TrainerClient) -> None:
    snapshot = await loop.snapshot()
    version = "projects/p/modelVersions/ner_p_v1"
    rank = {"rank": "0"}
    for fields, field in (
        ({"engine": "none"}, "engine"),
        (
            {"parameters": TrainingParameters(engine_options=rank)},
            "parameters.engine_options[rank]",
        ),
        (
            {"engine": "lora", "parameters": TrainingParameters(engine_options=rank)},
            "parameters.engine_options[rank]",
        ),
        ({"engine": "lora", "base_model_version": version}, "base_model_version"),
        ({"engine": "full", "transfer": TransferLearning(model_version=version)}, "transfer"),
        ({"parameters": TrainingParameters(stride=64, max_length=64)}, "parameters"),
        (
            {"parameters": TrainingParameters(weight_averaging=1.0)},
            "parameters.weight_averaging",
        ),
        ({"trunk_source": "tuned:embedded:tiny"}, "trunk_source"),
    ):
        with refused(INVALID, Reason.FIELD_INVALID, field=f"training_job.{field}"):
            await idle.create(snapshot, **fields)


async def test_the_child_gets_engine_and_options(loop: Loop) -> None:
    snapshot = await loop.snapshot()
    loop.control_child(hold=1)
    parameters = TrainingParameters(
        epochs=2, validation_split=0.2, dropout=0.0, engine_options={"rank": "4"}
    )
    async with loop.trainer(memory_bytes=8 * 1024**3, cpu_slots=4) as (client, _):
        job = await client.create(snapshot, engine="lora", parameters=parameters)
        assert job.engine == "lora"
        assert job.parameters == parameters
        # the defaults of the engine
        assert (job.resources.cpu, job.resources.memory_bytes) == (2, 4 * 1024**3)
        await client.until(job.name, lambda job: job.progress.epoch == 1)
        (path,) = (loop.data / "trainer" / "jobs").glob("*/spec.json")
        spec = json.loads(path.read_text())
        assert spec["engine"] == "lora"
        assert spec["parameters"] == {"epochs": 2, "validation_split": 0.2, "dropout": 0.0}
        assert spec["engine_options"] == {"rank": "4"}
        loop.control_child(hold=None)
        assert state_of(await client.end(job.name)) == "DONE"
