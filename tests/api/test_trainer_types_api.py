"""Jobs of all model types through the real services, around a child that computes nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.common.modeling.manifest import AdapterManifest
from spanloop.annotation.v1 import annotation_service_pb2 as annotation_pb
from spanloop.common.v1.evaluation_pb2 import MODEL_TYPE_ASSERTION, MODEL_TYPE_CLASSIFICATION
from spanloop.registry.v1 import registry_service_pb2 as registry_pb
from spanloop.trainer.v1.training_job_pb2 import TrainingFailureReason, TrainingJob
from tests.support.trainer import Loop, running_loop, state_of


@pytest.fixture
async def loop(tmp_path: Path) -> AsyncIterator[Loop]:
    async with running_loop(tmp_path) as found:
        yield found


async def snapshot(loop: Loop) -> str:
    """Take one of eight texts; of the control `late` only the dev text has a value."""
    parent = await loop.annotation.project("p", "PROBLEM")
    lines = []
    for index in range(8):
        span = {"start": 0, "end": 4, "label": "PROBLEM", "assertion": ("yes", "no")[index % 2]}
        choices = {"Mood": [("good", "bad")[index % 2]], "topics": ["a", "b"][: index % 2 + 1]}
        if index == 6:
            choices["late"] = ["x"]
        entry = {"text": f"pain {index}", "spans": [span], "choices": choices}
        lines.append(json.dumps(entry | {"split": "dev" if index == 6 else "train"}))
    await loop.annotation.load(parent, "\n".join(lines).encode())
    made = await loop.annotation.stub.CreateSnapshot(
        annotation_pb.CreateSnapshotRequest(parent=parent)
    )
    return str(made.snapshot.name)


async def manifest_of(loop: Loop, job: TrainingJob) -> AdapterManifest:
    version = await loop.registry.get_version(job.model_version)
    (digest,) = version.adapters.values()
    answer = await loop.registry.stub.GetAdapter(
        registry_pb.GetAdapterRequest(name=f"adapters/{digest.partition(':')[2]}")
    )
    return AdapterManifest.from_bytes(answer.adapter.manifest)


async def test_each_type_becomes_a_version_of_its_own(loop: Loop) -> None:
    source = await snapshot(loop)
    async with loop.trainer() as (client, _):
        for kind, control, classes, scheme in (
            (MODEL_TYPE_CLASSIFICATION, "Mood", ("bad", "good"), "single"),
            # Without labelling config the data says that several are chosen at once.
            (MODEL_TYPE_CLASSIFICATION, "topics", ("a", "b"), "multiple"),
            (MODEL_TYPE_ASSERTION, "", ("no", "yes"), "single"),
        ):
            job = await client.create(source, model_type=kind, control=control)
            job = await client.end(job.name)
            assert state_of(job) == "DONE", job.failure
            assert any("recommended" in warning for warning in job.warnings)
            manifest = await manifest_of(loop, job)
            assert manifest.label == (control or "assertion")
            assert (manifest.classes, manifest.decoding.scheme) == (classes, scheme)
    versions = await loop.versions()
    ids = sorted(version.name.rpartition("/")[2] for version in versions)
    assert ids[0] == "assertion_p_v1"
    assert ids[1].startswith("classification_mood-")
    assert ids[2] == "classification_topics_p_v1"
    assert {version.control for version in versions} == {"", "Mood", "topics"}


async def test_a_control_without_train_examples_fails_by_name(loop: Loop) -> None:
    source = await snapshot(loop)
    async with loop.trainer() as (client, _):
        job = await client.create(source, model_type=MODEL_TYPE_CLASSIFICATION, control="late")
        job = await client.end(job.name)
    assert state_of(job) == "FAILED"
    reason = TrainingFailureReason.Name(job.failure.reason)
    assert reason == "TRAINING_FAILURE_REASON_NO_TRAINING_DATA"
    assert "'late'" in job.failure.message
