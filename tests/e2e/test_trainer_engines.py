"""Engines that bring a trunk or run a program of the user's, through real services."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from services.common.modeling.onnx.weights import WEIGHTS_FILE
from services.trainer.bootstrap import build
from spanloop.annotation.v1 import annotation_service_pb2 as annotation_pb
from spanloop.registry.v1 import registry_service_pb2 as registry_pb
from spanloop.registry.v1.model_version_pb2 import ModelVersionState
from spanloop.trainer.v1 import training_script_service_pb2 as script_pb
from spanloop.trainer.v1 import training_script_service_pb2_grpc
from spanloop.trainer.v1.training_job_pb2 import TrainingFailureReason, TrainingParameters
from spanloop.trainer.v1.training_script_pb2 import TrainingScript
from tests.e2e.test_trainer_training import lines, save_bert
from tests.support import client_channel, running
from tests.support.trainer import TrainerClient, log_lines, running_loop, state_of

pytestmark = pytest.mark.filterwarnings("default")
PROBE = Path(__file__).parents[2] / "examples" / "training_script" / "probe.py"


@pytest.mark.skipif(sys.platform != "linux", reason="scripts are confined as Linux does it")
async def test_a_tuned_trunk_and_a_script_become_versions(tmp_path: Path) -> None:
    trunk = save_bert(tmp_path / "model")
    probe = PROBE.read_bytes()
    async with running_loop(tmp_path) as loop:
        parent = await loop.annotation.project("p", "DATE", "PARTY")
        await loop.annotation.load(parent, lines(40))
        answer = await loop.annotation.stub.CreateSnapshot(
            annotation_pb.CreateSnapshotRequest(parent=parent)
        )
        snapshot = answer.snapshot.name
        async with (
            running(loop.settings(lease_seconds=60, memory_bytes=2**34), build) as server,
            client_channel(server) as channel,
        ):
            client = TrainerClient(channel)
            parameters = TrainingParameters(
                epochs=1, max_length=32, engine_options={"rank": "2", "trunk_learning_rate": "0.01"}
            )
            job = await client.create(
                snapshot, trunk_source=str(trunk), engine="lora", parameters=parameters
            )
            messages = await client.watch(job.name)
            tuned = await client.get(job.name)
            text = "\n".join(line for _, line in log_lines(messages))
            assert state_of(tuned) == "DONE", (tuned.failure, text)
            version = await loop.registry.get_version(tuned.model_version)
            assert version.state == ModelVersionState.MODEL_VERSION_STATE_READY
            used = json.loads(version.lineage.parameters)
            assert used["engine"] == "lora"
            assert used["engine_options"]["rank"] == 2
            # The version's trunk is the tuned one, not the one that it was made from.
            assert version.trunk_digest != used["trunk_digest"]
            kept = await loop.registry.stub.GetTrunk(
                registry_pb.GetTrunkRequest(
                    name=f"trunks/{version.trunk_digest.removeprefix('sha256:')}"
                )
            )
            # What an export for transformers needs.
            assert WEIGHTS_FILE in kept.trunk.files
            # A label is added on the tuned trunk by the ladder, which fetches it.
            more = await client.create(
                snapshot,
                labels=["DATE"],
                base_model_version=tuned.model_version,
                parameters=TrainingParameters(epochs=1, max_length=32),
            )
            more = await client.end(more.name)
            assert state_of(more) == "DONE", more.failure
            joined = await loop.registry.get_version(more.model_version)
            assert joined.trunk_digest == version.trunk_digest
            assert joined.adapters["PARTY"] == version.adapters["PARTY"]
            # A program of the user's.
            scripts = training_script_service_pb2_grpc.TrainingScriptServiceStub(channel)

            async def scripted(content: bytes) -> tuple[str, str, list[str]]:
                made = await scripts.CreateTrainingScript(
                    script_pb.CreateTrainingScriptRequest(
                        parent=parent, training_script=TrainingScript(content=content)
                    )
                )
                job = await client.create(
                    snapshot,
                    trunk_source=str(trunk),
                    engine="script",
                    script=made.training_script.name,
                    parameters=TrainingParameters(max_length=32),
                )
                said = [line for _, line in log_lines(await client.watch(job.name))]
                done = await client.get(job.name)
                reason = TrainingFailureReason.Name(done.failure.reason)
                return state_of(done), done.model_version or reason, said

            state, name, said = await scripted(probe)
            assert state == "DONE", said
            made = await loop.registry.get_version(name)
            assert made.state == ModelVersionState.MODEL_VERSION_STATE_READY
            assert made.trunk_digest == used["trunk_digest"]
            assert any("components" in line for line in said)
            state, reason, said = await scripted(b"raise SystemExit('I give up')")
            assert (state, reason) == ("FAILED", "TRAINING_FAILURE_REASON_SCRIPT_FAILED")
            assert "I give up" in said
