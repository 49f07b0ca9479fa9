"""Real training through real services: snapshot in, READY model version out."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import random
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration

from services.common.modeling.manifest import AdapterManifest
from services.trainer.bootstrap import build
from spanloop.annotation.v1 import annotation_service_pb2 as annotation_pb
from spanloop.common.v1.evaluation_pb2 import MODEL_TYPE_ASSERTION, MODEL_TYPE_CLASSIFICATION
from spanloop.registry.v1 import registry_service_pb2 as registry_pb
from spanloop.registry.v1 import server_pb2
from spanloop.registry.v1 import server_service_pb2 as server_pb
from spanloop.registry.v1.model_version_pb2 import ModelVersionState
from spanloop.registry.v1.trunk_pb2 import Trunk
from spanloop.trainer.v1 import training_report_service_pb2 as report_pb
from spanloop.trainer.v1.training_job_pb2 import TrainingParameters
from tests.support import client_channel, running
from tests.support.trainer import (
    TERMINAL,
    Loop,
    TrainerClient,
    log_lines,
    running_loop,
    state_of,
)
from tests.unit.tiny_trunk import VOCABULARY, tokenizer_json, trunk_files

pytestmark = pytest.mark.filterwarnings("default")


def save_bert(folder: Path) -> Path:
    """Save a tiny random encoder."""
    import torch
    from tokenizers import Tokenizer
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        pad_token_id=0,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(tokenizer_json().decode()),
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    ).save_pretrained(folder)
    return folder


def lines(count: int) -> bytes:
    """Return texts in which years are DATE and capitalised words behind `to` are PARTY."""
    draw = random.Random(0)
    found = []
    for index in range(count):
        year, name = str(draw.randint(1990, 2040)), draw.choice(["Acme", "Bolt", "Cargo", "Delta"])
        text = f"In {year} we paid the {draw.choice(['rent', 'fee', 'price'])} to {name} again."
        start = text.index(name)
        found.append(
            {
                "text": text,
                "spans": [
                    {"start": 3, "end": 3 + len(year), "label": "DATE"},
                    {"start": start, "end": start + len(name), "label": "PARTY"},
                ],
                "split": ("train", "train", "train", "dev", "test")[index % 5],
            }
        )
    return "\n".join(json.dumps(entry) for entry in found).encode()


async def test_a_snapshot_becomes_a_served_version(tmp_path: Path) -> None:
    trunk = save_bert(tmp_path / "model")
    async with running_loop(tmp_path) as loop:
        parent = await loop.annotation.project("p", "DATE", "PARTY")
        await loop.annotation.load(parent, lines(60))
        snapshot = await loop.annotation.stub.CreateSnapshot(
            annotation_pb.CreateSnapshotRequest(parent=parent)
        )
        async with (
            running(loop.settings(lease_seconds=30), build) as server,
            client_channel(server) as channel,
        ):
            await train_and_check(loop, TrainerClient(channel), snapshot.snapshot.name, trunk)


async def train_and_check(loop: Loop, client: TrainerClient, snapshot: str, trunk: Path) -> None:
    parameters = TrainingParameters(epochs=4, batch_words=64, max_length=32, learning_rate=0.01)
    job = await client.create(snapshot, trunk_source=str(trunk), parameters=parameters)
    messages = await client.watch(job.name)
    done = await client.get(job.name)
    text = "\n".join(line for _, line in log_lines(messages))
    assert state_of(done) == "DONE", (done.failure, text)
    assert 1 <= len(done.epochs) <= 4
    assert {*done.epochs[-1].dev_f1} == {"DATE", "PARTY"}
    splits = {split.split: split for split in done.evaluation.splits}
    assert len(splits) == 2
    assert all(split.texts == 12 for split in splits.values())
    assert all(split.labels["DATE"].support == 12 for split in splits.values())
    fractions = [
        message.training_job.progress.fraction
        for message in messages
        if message.WhichOneof("payload") == "training_job" and message.training_job.attempt
    ]
    assert fractions == sorted(fractions)
    assert done.timings.trunk_seconds > 0
    assert done.timings.training_seconds > 0
    version = await loop.registry.get_version(done.model_version)
    assert version.state == ModelVersionState.MODEL_VERSION_STATE_READY
    assert version.parity.texts > 0
    assert version.parity.max_abs_diff < 1e-3
    # a parameter that this trunk cannot do is the job's failure, by name
    failed = await client.end(
        (
            await client.create(
                snapshot,
                base_model_version=done.model_version,
                parameters=TrainingParameters(max_length=4096),
            )
        ).name
    )
    assert state_of(failed) == "FAILED"
    assert "max_length" in failed.failure.message


@pytest.mark.timeout(300)  # exports a trunk twice over
async def test_what_was_chosen_for_gpus_is_trained_and_held_against_fp32(tmp_path: Path) -> None:
    trunk = save_bert(tmp_path / "model")
    async with running_loop(tmp_path) as loop:
        parent = await loop.annotation.project("p", "DATE", "PARTY")
        await loop.annotation.load(parent, lines(60))
        snapshot = await loop.annotation.stub.CreateSnapshot(
            annotation_pb.CreateSnapshotRequest(parent=parent)
        )
        server = server_pb2.InferenceServer(name="servers/a", device=server_pb2.DEVICE_CUDA)
        await loop.registry.server_stub.ReportServer(
            server_pb.ReportServerRequest(server=server, time_to_live=Duration(seconds=3600))
        )
        async with (
            running(loop.settings(lease_seconds=30), build) as made,
            client_channel(made) as channel,
        ):
            client = TrainerClient(channel)
            parameters = TrainingParameters(epochs=2, batch_words=64, max_length=32)
            job = await client.create(
                snapshot.snapshot.name, trunk_source=str(trunk), parameters=parameters
            )
            done = await client.end(job.name)
            text = "\n".join(line for _, line in log_lines(await client.watch(job.name)))
            assert state_of(done) == "DONE", (done.failure, text)
            report = await client.reports.GetTrainingReport(
                report_pb.GetTrainingReportRequest(name=job.name)
            )
        check = report.training_report.precision_check
        assert (check.precision, check.fp32_evaluation.labels["DATE"].support) == ("fp16", 12)
        version = await loop.registry.get_version(done.model_version)
        parameters_text = json.loads(version.lineage.parameters)
        assert parameters_text["trunk_precision"]["precision"] == "fp16"
        assert "cuda_precision is fp16" in parameters_text["trunk_precision"]["reason"]
        listed = await loop.registry.stub.ListTrunks(registry_pb.ListTrunksRequest())
        assert {(one.source, one.precision) for one in listed.trunks} == {
            ("local", "fp32"),
            ("local@fp16", "fp16"),
        }


def typed_lines(count: int) -> bytes:
    """Return texts whose mood and topics hang on a word, with spans that are there or not."""
    draw = random.Random(0)
    found = []
    for index in range(count):
        mood, status = draw.choice(["good", "bad"]), draw.choice(["absent", "present"])
        topics = [topic for topic in ("rent", "fees") if draw.random() < 0.6] or ["rent"]
        lead = f"a {mood} day : {' and '.join(topics)} . "
        text = f"{lead}{'no' if status == 'absent' else 'much'} fever"
        found.append(
            {
                "text": text,
                "spans": [
                    {
                        "start": len(text) - 5,
                        "end": len(text),
                        "label": "PROBLEM",
                        "assertion": status,
                    }
                ],
                "choices": {"Mood": [mood], "topics": topics},
                "split": ("train", "train", "train", "dev", "test")[index % 5],
            }
        )
    return "\n".join(json.dumps(entry) for entry in found).encode()


async def register_tiny_trunk(loop: Loop) -> None:
    """Register a trunk under the trainer's source, so that no job needs to export one."""
    manifest, files = trunk_files()
    for data in files.values():
        await loop.registry.upload(data)
    trunk = Trunk(manifest=dataclasses.replace(manifest, source="embedded:tiny").to_bytes())
    await loop.registry.stub.RegisterTrunk(registry_pb.RegisterTrunkRequest(trunk=trunk))


async def test_choices_and_assertions_become_ready_versions(tmp_path: Path) -> None:
    async with running_loop(tmp_path) as loop:
        await register_tiny_trunk(loop)
        parent = await loop.annotation.project("p", "PROBLEM")
        await loop.annotation.load(parent, typed_lines(80))
        snapshot = await loop.annotation.stub.CreateSnapshot(
            annotation_pb.CreateSnapshotRequest(parent=parent)
        )
        async with (
            running(loop.settings(lease_seconds=60), build) as server,
            client_channel(server) as channel,
        ):
            client = TrainerClient(channel)
            for kind, control, labels, scheme in (
                (MODEL_TYPE_CLASSIFICATION, "Mood", ["bad", "good"], "single"),
                # Without labelling config the data says that several are chosen at once.
                (MODEL_TYPE_CLASSIFICATION, "topics", ["fees", "rent"], "multiple"),
                (MODEL_TYPE_ASSERTION, "", ["absent", "present"], "single"),
            ):
                job = await client.create(
                    snapshot.snapshot.name,
                    parameters=TrainingParameters(
                        epochs=8, batch_words=64, max_length=32, learning_rate=0.02
                    ),
                    model_type=kind,
                    control=control,
                )
                async with asyncio.timeout(180):
                    while state_of(done := await client.get(job.name)) not in TERMINAL:  # noqa: ASYNC110
                        await asyncio.sleep(0.1)
                assert state_of(done) == "DONE", done.failure
                assert sorted(done.evaluation.splits[-1].labels) == labels
                assert done.evaluation.splits[-1].micro.f1 > 0.9
                version = await loop.registry.get_version(done.model_version)
                assert version.state == ModelVersionState.MODEL_VERSION_STATE_READY
                assert (version.model_type, version.control) == (kind, control)
                ((name, digest),) = version.adapters.items()
                assert name == (control or "assertion")
                adapter = await loop.registry.stub.GetAdapter(
                    registry_pb.GetAdapterRequest(name=f"adapters/{digest.partition(':')[2]}")
                )
                manifest = AdapterManifest.from_bytes(adapter.adapter.manifest)
                assert (manifest.classes, manifest.decoding.scheme) == (tuple(labels), scheme)
